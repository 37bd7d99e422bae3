//! Plain tables: columns of equal width, two spaces between them, nothing to the right of the last.

/// Rows under a heading. Cells are shown as they are given; a row that is too short ends early.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|h| h.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut heading.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// `2312` as `2,312`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["é".into(), "1".into()], vec!["long".into(), String::new()]];
        assert_eq!(table(&["A", "B"], &rows), "A     B\né     1\nlong");
    }

    #[test]
    fn thousands_are_grouped() {
        for (n, expected) in [(0, "0"), (999, "999"), (2312, "2,312"), (1_000_000, "1,000,000")] {
            assert_eq!(grouped(n), expected);
        }
    }
}
