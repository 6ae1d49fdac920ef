//! Did you mean: at most one suggestion for a word that is not known.

/// What was probably meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suggestion<'c> {
    /// The word.
    pub word: &'c str,
    /// Whether nothing else is as near, so that it may be offered as a fix.
    pub unique: bool,
}

/// Finds what `word` was probably meant to be, in this order:
///
/// 1. a candidate that differs in case only;
/// 2. what `spellings` gives for it: names that the same thing has elsewhere (`bootMACAddress`),
///    with what it is called here (`boot mac`), which need not be a candidate;
/// 3. the candidate with the smallest Damerau-Levenshtein distance, if that is at most a third of
///    the word's length;
/// 4. a candidate of the same words in another order (`secure-boot-UEFI`).
pub fn suggest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    spellings: &[(&str, &'c str)],
) -> Option<Suggestion<'c>> {
    let candidates: Vec<&'c str> = candidates.into_iter().collect();
    let lower = word.to_lowercase();
    let by = |test: &dyn Fn(&str) -> bool| -> Option<Suggestion<'c>> {
        let mut fitting = candidates.iter().filter(|candidate| test(candidate));
        let first = fitting.next()?;
        let unique = fitting.all(|other| other == first);
        Some(Suggestion {
            word: first,
            unique,
        })
    };
    by(&|candidate| candidate.to_lowercase() == lower)
        .or_else(|| {
            let (_, meant) = spellings
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(word))?;
            Some(Suggestion {
                word: meant,
                unique: true,
            })
        })
        .or_else(|| nearest(&lower, &candidates))
        .or_else(|| {
            let wanted = sorted_words(word);
            (wanted.len() > 1).then(|| by(&|candidate| sorted_words(candidate) == wanted))?
        })
}

/// [`suggest`] without other spellings, and only the word.
pub fn similar<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    suggest(word, candidates, &[]).map(|found| found.word)
}

/// The candidate at the smallest distance from `word`, which is in lower case.
fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<Suggestion<'c>> {
    /// Longer words are not compared: nobody mistypes them, and the comparison is quadratic.
    const MOST: usize = 128;
    let len = word.chars().count();
    let limit = len.max(3) / 3;
    let mut best: Option<(usize, Suggestion<'c>)> = None;
    for &candidate in candidates {
        let other = candidate.chars().count();
        if len > MOST || other > MOST || len.abs_diff(other) > limit {
            continue;
        }
        let distance = strsim::damerau_levenshtein(word, &candidate.to_lowercase());
        if distance > limit {
            continue;
        }
        match &mut best {
            Some((least, found)) if *least == distance => {
                found.unique &= found.word == candidate;
            }
            Some((least, _)) if *least < distance => {}
            _ => {
                let found = Suggestion {
                    word: candidate,
                    unique: true,
                };
                best = Some((distance, found));
            }
        }
    }
    best.map(|(_, found)| found)
}

/// The words of a name in alphabetical order, in lower case: `UEFISecureBoot` and
/// `secure-boot-UEFI` have the same.
fn sorted_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let chars: Vec<char> = name.chars().collect();
    let mut start_new = true;
    for (index, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            start_new = true;
            continue;
        }
        let before = index.checked_sub(1).map(|before| chars[before]);
        let camel = c.is_uppercase()
            && (before.is_some_and(|before| !before.is_uppercase())
                || chars
                    .get(index + 1)
                    .is_some_and(|after| after.is_lowercase()));
        if start_new || camel {
            words.push(String::new());
        }
        start_new = false;
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words.sort();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 7] = [
        "address",
        "online",
        "boot",
        "mtu",
        "UEFISecureBoot",
        "root-device",
        "credentials",
    ];

    #[test]
    fn each_kind_of_slip_has_its_suggestion() {
        for (word, meant) in [
            ("adress", Some("address")),
            ("ADDRESS", Some("address")),
            ("Secureboot", Some("boot mode=UEFISecureBoot")),
            ("secure-boot-UEFI", Some("UEFISecureBoot")),
            ("device-root", Some("root-device")),
            ("bootMACAddress", Some("boot mac")),
            ("bootmacaddress", Some("boot mac")),
            ("mut", Some("mtu")),
            ("onlien", Some("online")),
            ("x", None),
            ("", None),
            ("colour", None),
        ] {
            let spellings = [
                ("bootMACAddress", "boot mac"),
                ("secureBoot", "boot mode=UEFISecureBoot"),
            ];
            let found = suggest(word, FIELDS, &spellings);
            assert_eq!(found.map(|found| found.word), meant, "{word}");
        }
    }

    #[test]
    fn a_tie_is_no_fix() {
        let tied = suggest("n1", ["n2", "n3"], &[]);
        assert_eq!(
            tied,
            Some(Suggestion {
                word: "n2",
                unique: false
            })
        );
        let exact = suggest("N2", ["n2", "n3"], &[]);
        assert_eq!(
            exact,
            Some(Suggestion {
                word: "n2",
                unique: true
            })
        );
    }
}
