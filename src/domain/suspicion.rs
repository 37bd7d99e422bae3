//! Text that speaks to the model instead of about the system. A detector of this kind misses half of what a patient
//! attacker writes, so nothing rests on it: what it finds is shown to people and makes decisions stricter, and what it
//! does not find changes nothing. Pure, and linear in the length of the text.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use regex::{Regex, RegexSet};
use serde::{Deserialize, Serialize};

/// What a piece of text does that data does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// It tells whoever reads it to leave its instructions, to keep silent, or what to choose.
    Instructs,
    /// It bears the marks with which models tell the speakers of a conversation apart.
    Role,
    /// It looks like a call of a tool.
    Call,
    /// It looks like the end or the beginning of a block of data.
    Fence,
    /// It hides characters from people.
    Hidden,
    /// It does one of these once it is decoded.
    Encoded,
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instructs => "it gives instructions to its reader",
            Self::Role => "it imitates the speakers of a conversation",
            Self::Call => "it imitates a call of a tool",
            Self::Fence => "it imitates the end of data",
            Self::Hidden => "it hides characters from people",
            Self::Encoded => "it says so in an encoded form",
        })
    }
}

/// At most this much of one text is looked at: as much as is cleaned of one.
const MAX_BYTES: usize = 256 * 1024;
/// How deep encodings are followed: one in another was seen, three were not.
const DEPTH: usize = 2;
/// The shortest run of base64 that is decoded: 18 bytes, the length of "ignore your rules".
const SHORTEST: usize = 24;

/// Everything that is found in `text`.
pub fn flags(text: &str) -> BTreeSet<Flag> {
    let mut found = BTreeSet::new();
    look(head(text, MAX_BYTES), DEPTH, &mut found);
    found
}

fn look(text: &str, depth: usize, found: &mut BTreeSet<Flag>) {
    if hides(text) {
        found.insert(Flag::Hidden);
    }
    let visible = visible(text);
    plain(&visible, found);
    if depth == 0 {
        return;
    }
    let mut within = BTreeSet::new();
    for decoded in decoded(&visible) {
        look(&decoded, depth - 1, &mut within);
        within.remove(&Flag::Hidden); // what is hidden twice is not hidden from people
    }
    if !within.is_empty() {
        found.insert(Flag::Encoded);
    }
}

fn plain(text: &str, found: &mut BTreeSet<Flag>) {
    let lower = text.to_lowercase();
    let mut look_for = |rules: &RegexSet, text: &str, flag: Flag| {
        if rules.is_match(text) {
            found.insert(flag);
        }
    };
    look_for(&ROLES, &lower, Flag::Role);
    look_for(&CALLS, &lower, Flag::Call);
    look_for(&FENCES, &lower, Flag::Fence);
    let words = words(&lower);
    look_for(&PHRASES, &words, Flag::Instructs);
    if let Some(spelt) = spelt(&words) {
        look_for(&PHRASES, &spelt, Flag::Instructs);
    }
    if let Some(joined) = joined(&words) {
        look_for(&PHRASES, &joined, Flag::Instructs);
        look_for(&SPELT, &joined, Flag::Instructs);
    }
}

/// Whether characters are hidden: tags and directions always; what has no width between Latin letters, where no script
/// needs it; as they are, or as they were shown by the cleaning of text.
fn hides(text: &str) -> bool {
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let always =
            matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{E0000}'..='\u{E01EF}');
        let between =
            matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}');
        let after = chars.peek().copied().unwrap_or(' ');
        if always || (between && before.is_ascii_alphabetic() && after.is_ascii_alphabetic()) {
            return true;
        }
        before = c;
    }
    text.contains("<U+") && SHOWN.is_match(text)
}

/// Without what has no width, and with look-alikes as what they look like.
fn visible(text: &str) -> String {
    let text = if text.contains("<U+") { MARKS.replace_all(text, "") } else { Cow::Borrowed(text) };
    let seen = text.chars().filter(|c| !is_unseen(*c)).map(narrow);
    let seen: String = seen.collect();
    if seen.is_ascii() { seen } else { unmixed(&seen) }
}

const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0100}'..='\u{E01EF}')
}

/// Full-width letters and tags as the ASCII that they stand for.
fn narrow(c: char) -> char {
    let offset = match c {
        '\u{FF01}'..='\u{FF5E}' => 0xFEE0,
        '\u{E0020}'..='\u{E007E}' => 0xE0000,
        _ => return c,
    };
    char::from_u32(u32::from(c) - offset).unwrap_or(c)
}

/// Words that mix Latin with Cyrillic or Greek letters, in Latin.
fn unmixed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let latin = word.chars().any(|c| c.is_ascii_alphabetic());
        let other = word.chars().any(|c| like(c) != c);
        if latin && other {
            out.extend(word.chars().map(like));
        } else {
            out.push_str(word);
        }
    }
    out
}

const fn like(c: char) -> char {
    match c {
        'а' | 'α' | 'А' | 'Α' => 'a',
        'с' | 'С' | 'ϲ' => 'c',
        'е' | 'Е' | 'ε' | 'Ε' => 'e',
        'і' | 'І' | 'ι' | 'Ι' => 'i',
        'ѕ' | 'Ѕ' => 's',
        'о' | 'О' | 'ο' | 'Ο' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' => 'p',
        'у' | 'У' | 'υ' | 'Υ' => 'y',
        'х' | 'Х' | 'χ' | 'Χ' => 'x',
        'ν' => 'v',
        'м' | 'М' | 'Μ' => 'm',
        'т' | 'Т' | 'τ' | 'Τ' => 't',
        'к' | 'К' | 'κ' | 'Κ' => 'k',
        'н' | 'Н' | 'Η' => 'h',
        'в' | 'В' | 'Β' => 'b',
        'Ν' => 'n',
        other => other,
    }
}

/// Words of letters and digits, one space between them.
fn words(lower: &str) -> String {
    let mut out = String::with_capacity(lower.len());
    for c in lower.chars() {
        // the vowel signs of Indian scripts are within words
        if c.is_alphanumeric() || ('\u{0900}'..='\u{0DFF}').contains(&c) {
            out.push(c);
        } else if !out.ends_with(' ') && c != '\'' && c != '’' {
            out.push(' ');
        }
    }
    out
}

/// The words with digits beside letters as the letters that they stand for: `1gn0re`. None where there are none.
fn spelt(words: &str) -> Option<String> {
    let letter = |c: Option<&char>| c.is_some_and(char::is_ascii_alphabetic);
    let mut out = String::with_capacity(words.len());
    let (mut before, mut changed) = (None, false);
    let mut chars = words.chars().peekable();
    while let Some(c) = chars.next() {
        let meant = match c {
            '0' => 'o',
            '1' => 'i',
            '3' => 'e',
            '4' => 'a',
            '5' => 's',
            '7' => 't',
            _ => c,
        };
        let within = meant != c && (letter(before.as_ref()) || letter(chars.peek()));
        changed |= within;
        let now = if within { meant } else { c };
        out.push(now);
        before = Some(now);
    }
    changed.then_some(out)
}

/// Letters that stand alone, put together: `i g n o r e`. None where there are no four in a row.
fn joined(words: &str) -> Option<String> {
    let single = |word: &str| word.chars().count() == 1;
    let mut out = String::with_capacity(words.len());
    let (mut row, mut longest) = (0, 0);
    for word in words.split(' ') {
        row = if single(word) { row + 1 } else { 0 };
        longest = longest.max(row);
        if row < 2 && !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    (longest >= 4).then_some(out)
}

/// What is encoded in a text: base64, hexadecimal, percent and character references.
fn decoded(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut run = String::new();
    let mut column = 0;
    for c in text.chars().chain([' ']) {
        match c {
            _ if c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_') => {
                run.push(c);
                column += 1;
            }
            // encoders break their lines at 64 or 76
            '\n' if column >= 40 => column = 0,
            '\r' => {}
            _ => {
                column = 0;
                if run.len() >= SHORTEST {
                    out.extend(unpacked(&run));
                }
                run.clear();
            }
        }
    }
    out.extend(unescaped(text));
    out
}

fn unpacked(run: &str) -> Option<String> {
    let hex = run.len().is_multiple_of(2) && run.bytes().all(|b| b.is_ascii_hexdigit());
    let bytes = if hex {
        let pairs = run.as_bytes().chunks_exact(2).filter_map(|two| std::str::from_utf8(two).ok());
        pairs.filter_map(|two| u8::from_str_radix(two, 16).ok()).collect()
    } else {
        let standard = run.replace('-', "+").replace('_', "/");
        // what is left over of a group says nothing
        let whole = if standard.len() % 4 == 1 { standard.len() - 1 } else { standard.len() };
        BASE64.decode(standard.get(..whole)?).ok()?
    };
    text_of(bytes)
}

/// Bytes that are text: what is not has controls in it at once.
fn text_of(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let odd = text.chars().filter(|c| c.is_control() && !c.is_whitespace()).count();
    (odd == 0).then_some(text)
}

/// The text with percent and character references replaced, where it has several.
fn unescaped(text: &str) -> Option<String> {
    if ESCAPES.find_iter(text).take(4).count() < 4 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    for found in ESCAPES.find_iter(text) {
        bytes.extend_from_slice(text.get(at..found.start())?.as_bytes());
        at = found.end();
        let digits = found.as_str().trim_start_matches(['%', '\\', 'u', 'x', '&', '#']).trim_end_matches(';');
        let decimal = found.as_str().starts_with("&#") && !found.as_str().starts_with("&#x");
        let code = u32::from_str_radix(digits, if decimal { 10 } else { 16 }).unwrap_or(0);
        match u8::try_from(code) {
            Ok(byte) if found.as_str().starts_with('%') => bytes.push(byte),
            _ => bytes.extend_from_slice(char::from_u32(code).unwrap_or(' ').to_string().as_bytes()),
        }
    }
    bytes.extend_from_slice(text.get(at..)?.as_bytes());
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn head(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

static BASE64: LazyLock<GeneralPurpose> = LazyLock::new(|| {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&base64::alphabet::STANDARD, lenient)
});

#[expect(clippy::expect_used, reason = "the patterns are constants, and the tests below compile each one")]
fn rule(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}

#[expect(clippy::expect_used, reason = "the patterns are constants, and the tests below compile each one")]
fn rules<const N: usize>(patterns: [&str; N]) -> RegexSet {
    RegexSet::new(patterns).expect("constant patterns")
}

/// Unseen characters as the cleaning of text shows them, between letters or of the kinds that are never honest.
static SHOWN: LazyLock<Regex> = LazyLock::new(|| {
    rule(
        r"<U\+(?:202[A-E]|206[6-9]|E0[01][0-9A-F]{2})>|[A-Za-z](?:<U\+(?:00AD|200[BCD]|206[0-4]|FEFF)>)+[A-Za-z]",
    )
});

static MARKS: LazyLock<Regex> =
    LazyLock::new(|| rule(r"<U\+(?:00AD|200[B-F]|202[A-E]|206[0-9A-F]|FEFF|E01[0-9A-F]{2})>"));

static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
    rule(r"%[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|&#[0-9]{2,6};|&#x[0-9a-fA-F]{2,5};")
});

static ROLES: LazyLock<RegexSet> = LazyLock::new(|| {
    rules([
        r"<\|\s*(?:im_start|im_end|system|user|assistant|tool|end|endoftext|eot_id|start_header_id|end_header_id)\s*\|>",
        r"\[/?inst\]|<</?sys>>|<start_of_turn>|<end_of_turn>",
        r"</?(?:system|assistant|developer|human|instructions?|system[-_]prompt|system[-_]message|user[-_]message)>",
        r"(?m)^[\s>*#|-]*(?:assistant|human|developer)\s*:\s*\S",
        r"(?m)^[\s>*#|-]*system(?: message| prompt| note)?\s*:\s*(?:you\b|ignore|new\b|override|the (?:ai|assistant|model|agent))",
        r"(?m)^#{2,}\s*(?:system|instructions?|assistant|response)\b",
        r#""role"\s*:\s*"(?:system|assistant|developer)""#,
    ])
});

static CALLS: LazyLock<RegexSet> = LazyLock::new(|| {
    rules([
        r"</?(?:tool_call|tool_calls|tool_use|function_call|function_calls|antml|invoke|tool_result|function_results)\b[^>]{0,80}>",
        r#""(?:tool_calls|function_call|tool_use)"\s*:"#,
        r#""name"\s*:\s*"[a-z0-9_.-]{1,64}"\s*,\s*"(?:arguments|parameters|input)"\s*:"#,
        r#"\b(?:choose|no_action|escalate)\s*\(\s*(?:\{|"|'|candidate|c[0-9])"#,
        r#""(?:candidate|candidate_id)"\s*:\s*"?c[0-9]"#,
        r"\bfunctions\.[a-z_]+\s*\(",
        r"\bto=functions\.",
    ])
});

static FENCES: LazyLock<RegexSet> = LazyLock::new(|| {
    rules([
        r"<<<\s*/?\s*(?:data|end)\b|\bdata [0-9a-f]{8,}\s*>>>",
        r"\b(?:end|close) of (?:the )?(?:untrusted |external |tool |quoted )?(?:data|output|logs?|context|input|document|evidence)\b[^\n]{0,40}(?:\n|$|[.:\]>=-])\s*[^\n]{0,40}\b(?:instruction|system|now|you|assistant|real|trusted|begin)",
        r"(?:-{3,}|={3,}|#{3,})\s*(?:end|begin|start)(?: of)? (?:system|trusted|untrusted|instructions?|prompt|user|tool)\b",
        r"</?(?:untrusted|data|evidence|tool[-_]output|document|context)>\s*\S",
    ])
});

/// Spelt out, letters run into the next word.
static SPELT: LazyLock<RegexSet> = LazyLock::new(|| {
    rules([
        r"(?:ignore|disregard|forget)\s*(?:all|any|the|your|previous|prior|above|\s)*\s*(?:instructions|rules|prompt)",
    ])
});

/// Up to so many words between two.
macro_rules! near {
    ($first:literal, $n:literal, $second:literal) => {
        concat!(r"\b(?:", $first, r")\s(?:\w+\s){0,", $n, r"}(?:", $second, r")\b")
    };
}

static PHRASES: LazyLock<RegexSet> = LazyLock::new(|| {
    rules([
        // English
        near!(
            "ignore|ignoring|disregard|disregarding|forget|override|overriding|bypass|discard|abandon|violate",
            "5",
            "instructions?|prompts?|guidelines|directives?|constraints|programming|safety rules?|your rules?|previous rules?|above rules?|all rules?|training"
        ),
        near!(
            "ignore|disregard|forget",
            "2",
            "everything (?:above|before|previously|you (?:were|have been) told)|(?:the |all )?(?:above|previous) (?:text|context|messages?)"
        ),
        r"\b(?:system|developer|hidden|initial|original) (?:prompt|instructions?)\b",
        r"\b(?:new|updated|revised|actual|real|important|following|special|urgent) instructions?\s(?:for (?:you|the|any|all)|are|from|follow|override|to (?:the|you|ai|assistant))\b",
        r"\byou are (?:now |no longer |actually |really )(?:an? |the |in )?\w+",
        r"\byou are (?:an? |the )?(?:\w+\s){0,3}(?:ai|assistant|llm|language model|chatbot|agent)\b",
        r"\b(?:act|behave|respond|reply|answer) as (?:if you|an? (?:\w+\s){0,2}(?:ai|assistant|admin|administrator|developer|root|unrestricted))\b",
        r"\b(?:attention|note|notice|message|instructions?|hint|memo|reminder|important|dear|hey|hello|hi|ok|okay) (?:to |for |all |the |any |every )*(?:ai|ais|llm|llms|language models?|assistants?|(?:ai |sre |on call |oncall |ops |remediation |automated )agents?|copilot|chatgpt|claude|gpt|gemini|belay)\b",
        r"\b(?:ai|llm|language model|assistant|agent|belay|model) (?:must|should|shall|has to|needs to|is (?:required|instructed|authori[sz]ed|allowed|permitted) to|please|will now|can safely)\b",
        r"\bas an? (?:ai|llm|large language model|language model|assistant)\b",
        r"\b(?:do not|dont|never|without) (?:tell|telling|inform|informing|mention|mentioning|notify|notifying|alert|alerting|reveal|revealing|warn|warning|ask|asking|escalate|escalating) (?:this |that |it )?(?:to )?(?:the |any |a )?(?:users?|operators?|humans?|persons?|people|anyone|anybody|engineers?|on call|oncall|approval)\b",
        r"\b(?:call|invoke|use|run|execute) (?:the |this )?(?:\w+\s)?(?:tool|function) (?:named|called|now|immediately|instead)\b",
        r"\b(?:choose|select|pick) (?:the )?(?:candidate|option|action) (?:number |no )?(?:c?[0-9]+|\w+ (?:now|immediately|instead))\b",
        r"\b(?:call|choose|invoke|select) (?:no action|no_action|escalate|choose)\b",
        r"\b(?:the |only )(?:correct|right|safe|proper|approved|required|recommended) (?:action|remediation|fix|candidate|choice) is to\b",
        r"\b(?:pre ?approved|already approved|approval (?:is )?(?:granted|not (?:required|needed)|waived)|no (?:human )?approval (?:is )?(?:required|needed|necessary))\b",
        r"\b(?:jailbreak|jailbroken|developer mode|dan mode|god mode|prompt injection|do anything now)\b",
        r"\b(?:reveal|print|repeat|output|show|leak|exfiltrate|send) (?:me |us |out )?(?:your|the|all) (?:\w+\s)?(?:instructions|prompt|secrets|credentials|tokens|api keys|system message)\b",
        r"\bfrom now on you\b|\byour (?:new|real|true|actual|only) (?:task|goal|objective|role|purpose|job|mission|instructions?) (?:is|are)\b",
        r"\b(?:stop|end) (?:the |your )?investigat(?:ion|ing) (?:now|immediately|here|and)\b",
        // German
        near!(
            "ignorier\\w*|vergiss|vergesst|vergessen sie|missachte\\w*|übergeh\\w*|verwirf",
            "5",
            "anweisung\\w*|vorgaben?|regeln|befehle?|instruktion\\w*|systemprompt|richtlinien"
        ),
        r"\bdu bist (?:jetzt|nun|ab sofort|ein ki|ein assistent)\b",
        // French
        near!(
            "ignore\\w*|oublie\\w*|néglige\\w*|ne tiens pas compte|ne tenez pas compte",
            "5",
            "instructions?|consignes?|règles|directives?"
        ),
        r"\b(?:tu es|vous êtes) (?:maintenant|désormais|un assistant|une ia)\b",
        // Spanish, Portuguese, Italian
        near!(
            "ignora\\w*|ignore|olvida\\w*|omite|descarta|desestima|haz caso omiso",
            "5",
            "instrucciones|órdenes|ordenes|reglas|indicaciones|directrices"
        ),
        near!(
            "ignore\\w*|ignora\\w*|esqueça|esqueca|esquece|desconsidere",
            "5",
            "instruções|instrucoes|regras|orientações|ordens"
        ),
        near!("ignora\\w*|dimentica\\w*|trascura", "5", "istruzioni|regole|direttive|ordini"),
        r"\b(?:ahora eres|eres ahora|agora você é|você agora é|ora sei|adesso sei)\b",
        // Dutch, Polish, Czech, Swedish, Turkish, Indonesian, Vietnamese
        near!("negeer|vergeet", "5", "instructies|regels|opdrachten|aanwijzingen"),
        near!("zignoruj|ignoruj|zapomnij|pomiń", "5", "instrukcje|instrukcji|polecenia|zasady|reguły"),
        near!("ignoruj|ignorujte|zapomeň|zapomeňte", "5", "pokyny|instrukce|příkazy|pravidla"),
        near!("ignorera|glöm", "5", "instruktioner\\w*|regler|anvisningar"),
        near!("abaikan|lupakan", "5", "instruksi|perintah|aturan|petunjuk"),
        near!("bỏ qua|phớt lờ|quên", "5", "hướng dẫn|chỉ dẫn|lệnh|quy tắc"),
        r"\b(?:talimat|komut|kural)\w*\s(?:\w+\s){0,4}(?:yoksay|unut|görmezden|dikkate alma)\w*",
        // Russian, Ukrainian, Greek
        near!(
            "игнорир\\w*|проигнорир\\w*|забуд\\w*|не обращай внимания на|отмени",
            "5",
            "инструкци\\w*|указани\\w*|правил\\w*|команд\\w*|промпт\\w*"
        ),
        near!("ігнору\\w*|проігнору\\w*|забудь\\w*", "5", "інструкці\\w*|вказівк\\w*|правил\\w*"),
        near!("αγνόησε|αγνοήστε|ξέχασε|ξεχάστε", "5", "οδηγίες|εντολές|κανόνες"),
        // Chinese, Japanese, Korean
        r"(?:忽略|无视|無視|忘记|忘記|不要理会|不理会|跳过|绕过|繞過|违反).{0,16}(?:指令|指示|说明|說明|规则|規則|提示|命令|要求|约束|限制)",
        r"你现在是|你現在是|从现在开始|系统提示|系統提示|开发者模式",
        r"(?:指示|命令|指令|ルール|規則|プロンプト|制約).{0,16}(?:無視|忘れ|破棄|従わな)|(?:無視|忘れて).{0,16}(?:指示|命令|指令)",
        r"あなたは(?:今|これから|もう)|システムプロンプト",
        r"(?:지시|명령|지침|규칙|프롬프트)\S{0,4}\s?(?:\S+\s){0,4}?(?:무시|잊|따르지)|(?:무시|잊)\S{0,6}\s?(?:\S+\s){0,3}?(?:지시|명령|지침)",
        r"(?:당신은|너는) (?:이제|지금)|시스템 프롬프트",
        // Arabic, Persian, Hebrew, Hindi
        r"(?:تجاهل|تجاهلي|انس|تخط|اهمل)\w*\s(?:\w+\s){0,5}(?:التعليمات|تعليمات|الأوامر|أوامر|القواعد|التوجيهات)",
        r"(?:دستورالعمل|دستورات|قوانین|دستورهای)\w*\s(?:\w+\s){0,5}(?:نادیده|فراموش)",
        r"(?:התעלם|התעלמי|שכח|תתעלם)\s(?:\w+\s){0,5}(?:ההוראות|הוראות|הכללים|הפקודות)",
        r"(?:निर्देश|आदेश|नियम)\S*\s(?:\S+\s){0,5}?(?:अनदेखा|अनदेखी|नज़रअंदाज़|नजरअंदाज|भूल)",
    ])
});
