//! Rows of one kind by name, page by page: which of them, which columns, and where the next page begins. The place is
//! a name and no number, so that what comes or goes between two pages moves nothing else.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::{MOST_ROWS, NodesArgs, ObjectsArgs};
use super::eyes::{Eyes, first};
use super::views::{MESSAGE, name, when};
use crate::domain::inventory::{Cell, Column, Kind, Row};
use crate::domain::redact;
use crate::ports::inventory::Found;
use crate::servers::kit::{Extent, Readable, Trouble, after, cursor, page, quoted};

/// The entries of one cell that are shown: a row of a screen.
const ENTRIES: usize = 20;
/// What always stands in a row.
const NAME: &str = "name";
/// What is wrong with the object.
const TROUBLE: &str = "trouble";

/// Objects of one kind.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Objects {
    /// The namespace; absent where it is about the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Their kind.
    pub kind: String,
    /// How much of the list from here on is shown.
    pub extent: Extent,
    /// The columns, in the order of reading.
    pub columns: Vec<String>,
    /// The objects by name, each with its columns; one that is not known is `null`.
    pub rows: Vec<BTreeMap<String, Option<CellView>>>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// What belongs to the rows and could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<String>,
    /// After which name this page begins.
    #[serde(skip)]
    after: Option<String>,
}

/// What stands in a column.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum CellView {
    /// Whether.
    Flag(bool),
    /// How many.
    Number(u64),
    /// Text, or a time.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl From<&Cell> for CellView {
    fn from(cell: &Cell) -> Self {
        match cell {
            Cell::Flag(flag) => Self::Flag(*flag),
            Cell::Number(number) => Self::Number(*number),
            Cell::At(at) => Self::Text(when(Some(*at)).unwrap_or_default()),
            Cell::Text(text) => Self::Text(redact::line(text, MESSAGE)),
            Cell::List(all) => {
                let mut shown: Vec<String> =
                    all.iter().take(ENTRIES).map(|one| redact::line(one, MESSAGE)).collect();
                let more = all.len().saturating_sub(ENTRIES);
                shown.extend((more > 0).then(|| format!("and {more} more")));
                Self::List(shown)
            }
        }
    }
}

impl std::fmt::Display for CellView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(true) => f.write_str("yes"),
            Self::Flag(false) => f.write_str("no"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::List(all) if all.is_empty() => f.write_str("-"),
            Self::List(all) => f.write_str(&all.join(", ")),
        }
    }
}

/// What is asked for, of whichever kind.
struct Look<'a> {
    namespace: Option<&'a str>,
    kind: Kind,
    name_contains: &'a str,
    in_trouble: bool,
    limit: u32,
    cursor: Option<&'a str>,
    columns: Vec<Shown>,
}

/// A column that is shown.
#[derive(Debug, Clone, Copy)]
enum Shown {
    Trouble,
    Of(Column),
}

impl Shown {
    const fn name(self) -> &'static str {
        match self {
            Self::Trouble => TROUBLE,
            Self::Of(column) => column.name(),
        }
    }
}

/// The columns of these names; all of the kind where none is named.
fn columns(kind: Kind, fields: &[String]) -> Result<Vec<Shown>, Trouble> {
    let all = || kind.columns().iter().copied().map(Shown::Of).chain([Shown::Trouble]);
    if fields.is_empty() {
        return Ok(all().collect());
    }
    let mut chosen = Vec::new();
    for field in fields.iter().filter(|field| *field != NAME) {
        let Some(column) = all().find(|column| column.name() == field) else {
            let known: Vec<String> = all().map(|column| format!("`{}`", column.name())).collect();
            let (field, kind) = (quoted(field), kind.name());
            let known = known.join(", ");
            return Err(Trouble::Argument(format!("{kind} have no `{field}`: `fields` may name {known}")));
        };
        if !chosen.iter().any(|known: &Shown| known.name() == column.name()) {
            chosen.push(column);
        }
    }
    Ok(chosen)
}

impl Look<'_> {
    /// What a cursor belongs to: another number of rows or other columns leave the place as it is.
    fn question(&self) -> [&str; 4] {
        let trouble = if self.in_trouble { "in trouble" } else { "" };
        [self.namespace.unwrap_or_default(), self.kind.name(), self.name_contains, trouble]
    }

    fn after(&self) -> Result<Option<String>, Trouble> {
        self.cursor.map(|cursor| after(cursor, &self.question())).transpose()
    }

    fn wants(&self, row: &Row) -> bool {
        row.name.contains(self.name_contains) && (!self.in_trouble || row.trouble.is_some())
    }

    fn view(&self, row: &Row) -> BTreeMap<String, Option<CellView>> {
        let cell = |column: &Shown| match column {
            Shown::Trouble => row.trouble.as_ref().map(|text| CellView::Text(redact::line(text, MESSAGE))),
            Shown::Of(column) => row.cells.get(column).map(CellView::from),
        };
        let cells = self.columns.iter().map(|column| (column.name().to_owned(), cell(column)));
        cells.chain([(NAME.to_owned(), Some(CellView::Text(name(&row.name))))]).collect()
    }

    fn show(&self, found: Found<Row>, after: Option<String>) -> Objects {
        let Found { mut listed, unread } = found;
        let last_read = listed.items.last().map(|row| row.name.clone());
        let whole = listed.left_out == Some(0);
        if self.in_trouble || !self.name_contains.is_empty() {
            listed.items.retain(|row| self.wants(row));
            // nobody knows how many of what was not read would be wanted
            listed.left_out = listed.left_out.filter(|more| *more == 0);
        }
        let (extent, rows) = first(&listed, self.limit, MOST_ROWS, |row| self.view(row));
        let goes_on_after = match listed.items.get(rows.len()..) {
            // more was read than is shown
            Some([_, ..]) => {
                rows.len().checked_sub(1).and_then(|last| listed.items.get(last)).map(|r| r.name.clone())
            }
            // what was read is shown, and there is more that was not
            Some([]) | None => last_read.filter(|_| !whole),
        };
        Objects {
            namespace: self.namespace.map(str::to_owned),
            kind: self.kind.name().to_owned(),
            extent,
            columns: [NAME]
                .into_iter()
                .chain(self.columns.iter().map(|c| c.name()))
                .map(str::to_owned)
                .collect(),
            rows,
            next_cursor: goes_on_after.map(|name| cursor(&self.question(), &name)),
            not_read: unread.iter().map(|why| redact::line(why, MESSAGE)).collect(),
            after,
        }
    }
}

impl Eyes {
    /// Objects of one kind in a namespace.
    pub async fn objects(&self, args: &ObjectsArgs) -> Result<Objects, Trouble> {
        let ObjectsArgs { namespace, kind, name_contains, in_trouble, fields, limit, cursor } = args;
        self.check(namespace)?;
        let look = Look {
            namespace: Some(namespace),
            kind: *kind,
            name_contains,
            in_trouble: *in_trouble,
            limit: *limit,
            cursor: cursor.as_deref(),
            columns: columns(*kind, fields)?,
        };
        let after = look.after()?;
        let found = self.inventory.objects(*kind, namespace, after.as_deref()).await?;
        Ok(look.show(found, after))
    }

    /// All nodes, for who may look everywhere: a node carries the pods of many.
    pub async fn nodes(&self, args: &NodesArgs) -> Result<Objects, Trouble> {
        let NodesArgs { name_contains, in_trouble, fields, limit, cursor } = args;
        if !self.scope.is_everywhere() {
            return Err(Trouble::Argument(
                "all nodes may be listed only by who may read every namespace: `list_objects` with `kind` `nodes` lists \
                 those that carry pods of a namespace"
                    .to_owned(),
            ));
        }
        let look = Look {
            namespace: None,
            kind: Kind::Nodes,
            name_contains,
            in_trouble: *in_trouble,
            limit: *limit,
            cursor: cursor.as_deref(),
            columns: columns(Kind::Nodes, fields)?,
        };
        let after = look.after()?;
        let found = self.inventory.nodes(after.as_deref()).await?;
        Ok(look.show(found, after))
    }
}

impl Readable for Objects {
    fn text(&self) -> String {
        let place = self
            .namespace
            .as_ref()
            .map_or_else(|| "of the cluster".to_owned(), |namespace| format!("in namespace `{namespace}`"));
        let from = self.after.as_ref().map_or_else(String::new, |after| format!(" after `{after}`"));
        let mut lines = vec![self.extent.words(&format!("{} {place}{from}", self.kind))];
        lines.extend(self.not_read.iter().map(|why| format!("not known: {why}")));
        lines.extend(self.next_cursor.iter().map(|next| format!("more with `cursor` `{next}`")));
        let heading: Vec<String> = self.columns.iter().map(|c| c.to_uppercase().replace('_', " ")).collect();
        let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
        let cell = |row: &BTreeMap<String, Option<CellView>>, column: &String| {
            let known = row.get(column).and_then(Option::as_ref);
            known.map_or_else(|| "-".to_owned(), ToString::to_string)
        };
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| self.columns.iter().map(|c| cell(row, c)).collect()).collect();
        page(&lines.join("\n"), &heading, &rows)
    }
}
