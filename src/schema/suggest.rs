//! "Did you mean" for fields: near names, and what other tools call them.

use super::{Field, Kind};
use crate::diag::Applicability;
use crate::diag::suggest::similar;

/// A field that was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The words to write, from where the unknown name stood: `boot mac` or `address`.
    pub words: String,
    /// Whether it may be put in the place of the unknown word as it is.
    pub fix: Option<Applicability>,
    /// It is a field of the entity, not of where the unknown name stood.
    pub elsewhere: bool,
}

/// Looks for the field that was meant by `name`: among `here`, the fields that may stand where it
/// stood; then by other tools' spellings in all of `all` (the whole entity).
pub fn suggest_field(name: &str, here: &[Field], all: &'static [Field]) -> Option<Suggestion> {
    if let Some(field) = here.iter().find(|field| spelt(field, name)) {
        return Some(Suggestion {
            words: field.name.to_owned(),
            fix: Some(Applicability::Safe),
            elsewhere: false,
        });
    }
    let mut trail = Vec::new();
    let from_afar = find_spelling(name, all, &mut trail);
    let at_top = std::ptr::eq(here, all);
    if let Some(words) = from_afar.or_else(|| at_top.then(|| inside(name, all)).flatten()) {
        return Some(Suggestion {
            words,
            fix: None,
            elsewhere: true,
        });
    }
    let names: Vec<&str> = here.iter().map(|field| field.name).collect();
    similar(name, names).map(|near| Suggestion {
        words: near.word.to_owned(),
        fix: near.fix,
        elsewhere: false,
    })
}

/// A field of one of these records, by its own name (`mac` for `boot mac`) or by both run together
/// (`bmc-address`); `None` where several are called so.
fn inside(name: &str, fields: &'static [Field]) -> Option<String> {
    // Somebody who writes these means the host itself.
    if ["name", "namespace", "kind", "uid"].contains(&name) {
        return None;
    }
    let letters = |text: &str| {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        letters.collect::<String>().to_ascii_lowercase()
    };
    let meant = letters(name);
    let mut found = fields.iter().flat_map(|outer| {
        let inner = match outer.kind {
            Kind::Record { fields, .. } => fields,
            _ => &[],
        };
        let meant = &meant;
        inner
            .iter()
            .filter(move |inner| {
                let own = letters(inner.name);
                *meant == own || *meant == letters(outer.name) + &own
            })
            .map(move |inner| format!("{} {}", outer.name, inner.name))
    });
    found.next().filter(|_| found.next().is_none())
}

fn spelt(field: &Field, name: &str) -> bool {
    field
        .also
        .iter()
        .any(|other| other.eq_ignore_ascii_case(name))
}

/// A spelling anywhere below, as the words that lead there. Records only: a key cannot be guessed.
fn find_spelling(
    name: &str,
    fields: &'static [Field],
    trail: &mut Vec<&'static str>,
) -> Option<String> {
    for field in fields {
        trail.push(field.name);
        // Short words such as `name` or `url` mean too many things to be guessed from afar.
        let found = if spelt(field, name) && name.len() > 6 {
            Some(trail.join(" "))
        } else {
            match field.kind {
                Kind::Record { fields, .. } => find_spelling(name, fields, trail),
                _ => None,
            }
        };
        trail.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Entity;

    #[test]
    fn spellings_of_other_tools_are_known() {
        let host = Entity::Host.fields();
        let meant = |name: &str| suggest_field(name, host, host).map(|found| found.words);
        assert_eq!(meant("bootMACAddress").as_deref(), Some("boot mac"));
        assert_eq!(meant("automatedCleaningMode").as_deref(), Some("cleaning"));
        assert_eq!(meant("onlin").as_deref(), Some("online"));
        assert_eq!(meant("rootDeviceHints").as_deref(), Some("root-device"));
        assert_eq!(meant("zzz"), None);
    }

    #[test]
    fn fields_of_records_are_known_by_their_own_name() {
        let host = Entity::Host.fields();
        let meant = |name: &str| suggest_field(name, host, host).map(|found| found.words);
        assert_eq!(meant("mac").as_deref(), Some("boot mac"));
        assert_eq!(meant("bmc-address").as_deref(), Some("bmc address"));
        assert_eq!(meant("bootMac").as_deref(), Some("boot mac"));
        assert_eq!(meant("name"), None);
        assert_eq!(meant("userData").as_deref(), Some("user-data"));
    }
}
