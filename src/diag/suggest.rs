//! Did you mean: at most one suggestion for a word that is not known.

use super::{Applicability, Diagnostic, Fix, Place};

/// What was probably meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suggestion<'c> {
    /// The word.
    pub word: &'c str,
    /// Whether writing it may be offered as a fix: none where something else is as near, safe only
    /// where the words differ in nothing that tells two things apart.
    pub fix: Option<Applicability>,
}

impl Suggestion<'_> {
    /// Whether hardly anything else can have been meant.
    pub fn is_sure(self) -> bool {
        self.fix == Some(Applicability::Safe)
    }
}

impl Diagnostic {
    /// Says what was probably meant by the word at `place`, and offers to write it where that is
    /// clear. `written` gives the word as it has to stand there, quotes included.
    #[must_use]
    pub fn did_you_mean(
        self,
        near: Option<Suggestion<'_>>,
        place: Place,
        written: impl FnOnce(&str) -> String,
    ) -> Self {
        let Some(near) = near else { return self };
        let finding = self.help(format!("did you mean `{}`?", near.word));
        match near.fix {
            Some(applicability) => finding.fix(Fix::replace(
                format!("write `{}`", near.word),
                applicability,
                place,
                written(near.word),
            )),
            None => finding,
        }
    }
}

/// Finds what `word` was probably meant to be, in this order:
///
/// 1. a candidate that differs in case only;
/// 2. what `spellings` gives for it: names that the same thing has elsewhere (`bootMACAddress`),
///    with what it is called here (`boot mac`), which need not be a candidate;
/// 3. the candidate with the smallest Damerau-Levenshtein distance, if that is at most a third of
///    the word's length;
/// 4. a candidate of the same words in another order (`secure-boot-UEFI`);
/// 5. the only candidate that has the word in it (`Secureboot`).
///
/// Of equally near candidates the least is named, so that the answer does not depend on their
/// order, and none is a fix.
pub fn suggest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    spellings: &[(&str, &'c str)],
) -> Option<Suggestion<'c>> {
    let candidates: Vec<&'c str> = candidates.into_iter().collect();
    let lower = word.to_lowercase();
    let by = |test: &dyn Fn(&str) -> bool| {
        best(word, candidates.iter().copied().filter(|other| test(other)))
    };
    by(&|candidate| candidate.to_lowercase() == lower)
        .or_else(|| {
            let (_, meant) = spellings
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(word))?;
            Some(Suggestion {
                word: meant,
                fix: Some(Applicability::Safe),
            })
        })
        .or_else(|| nearest(word, &lower, &candidates))
        .or_else(|| {
            let wanted = sorted_words(word);
            (wanted.len() > 1).then(|| by(&|candidate| sorted_words(candidate) == wanted))?
        })
        .or_else(|| {
            /// Shorter words are part of too many others.
            const LEAST: usize = 4;
            let found = (lower.len() >= LEAST)
                .then(|| by(&|candidate| candidate.to_lowercase().contains(&lower)))??;
            // What it was part of is a guess.
            found.fix.map(|_| Suggestion {
                fix: Some(Applicability::Unsafe),
                ..found
            })
        })
}

/// [`suggest`] without other spellings.
pub fn similar<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<Suggestion<'c>> {
    suggest(word, candidates, &[])
}

/// The least of equally good candidates; a fix if there is no other.
fn best<'c>(word: &str, fitting: impl Iterator<Item = &'c str>) -> Option<Suggestion<'c>> {
    let (mut least, mut unique) = (None, true);
    for candidate in fitting {
        unique &= least.is_none_or(|other| other == candidate);
        least = Some(least.map_or(candidate, |other: &str| other.min(candidate)));
    }
    let found = least?;
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let fix = match (unique, digits(word) == digits(found)) {
        (false, _) => None,
        (true, true) => Some(Applicability::Safe),
        // `n12` and `n21`, `ubuntu-22.04` and `ubuntu-24.04`: near as words, and not the same.
        (true, false) => Some(Applicability::Unsafe),
    };
    Some(Suggestion { word: found, fix })
}

/// The candidate at the smallest distance from `word`; `lower` is the word in lower case.
fn nearest<'c>(word: &str, lower: &str, candidates: &[&'c str]) -> Option<Suggestion<'c>> {
    /// Longer words are not compared: nobody mistypes them, and the comparison is quadratic.
    const MOST: usize = 128;
    /// From here on two slips still leave no doubt.
    const LONG: usize = 8;
    let len = lower.chars().count();
    let limit = len.max(3) / 3;
    let mut found: Vec<(usize, &'c str)> = Vec::new();
    for &candidate in candidates {
        let other = candidate.chars().count();
        if len > MOST || other > MOST || len.abs_diff(other) > limit {
            continue;
        }
        let distance = strsim::damerau_levenshtein(lower, &candidate.to_lowercase());
        if distance <= limit {
            found.push((distance, candidate));
        }
    }
    let least = found.iter().map(|(distance, _)| *distance).min()?;
    let near = found.into_iter().filter(|(distance, _)| *distance == least);
    let meant = best(word, near.map(|(_, candidate)| candidate))?;
    // `fleet.region` is three slips from `fleet.edition`, and another name.
    let begins = |text: &str| text.to_lowercase().chars().next();
    let alike = least <= 1 || (least == 2 && len >= LONG && begins(word) == begins(meant.word));
    Some(Suggestion {
        fix: meant.fix.map(|fix| match fix {
            Applicability::Safe if !alike => Applicability::Unsafe,
            fix => fix,
        }),
        ..meant
    })
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
    fn a_tie_is_no_fix_and_names_the_least() {
        for candidates in [["n3", "n2"], ["n2", "n3"]] {
            let tied = suggest("n1", candidates, &[]);
            assert_eq!(
                tied,
                Some(Suggestion {
                    word: "n2",
                    fix: None
                })
            );
        }
        let exact = suggest("N2", ["n2", "n3"], &[]);
        assert_eq!(
            exact,
            Some(Suggestion {
                word: "n2",
                fix: Some(Applicability::Safe)
            })
        );
    }

    #[test]
    fn many_slips_are_no_safe_fix() {
        let fix = |word, meant| similar(word, [meant]).and_then(|found| found.fix);
        assert_eq!(
            fix("fleet.region", "fleet.edition"),
            Some(Applicability::Unsafe)
        );
        assert_eq!(fix("router", "rooted"), Some(Applicability::Unsafe));
        assert_eq!(fix("adrress", "address"), Some(Applicability::Safe));
        assert_eq!(
            fix("achitecture", "architecture"),
            Some(Applicability::Safe)
        );
        assert_eq!(
            fix("arhcitectur", "architecture"),
            Some(Applicability::Safe)
        );
    }

    #[test]
    fn another_number_is_another_thing_and_never_a_safe_fix() {
        let fix = |word, other| suggest(word, [other], &[]).and_then(|found| found.fix);
        assert_eq!(fix("rakc1-n12", "rack1-n12"), Some(Applicability::Safe));
        assert_eq!(fix("rack1-n12", "rack1-n21"), Some(Applicability::Unsafe));
        assert_eq!(
            fix("ubuntu-22.04", "ubuntu-24.04"),
            Some(Applicability::Unsafe)
        );
    }

    #[test]
    fn the_only_word_that_holds_it_is_meant() {
        let meant =
            |word, candidates: &[&'static str]| suggest(word, candidates.iter().copied(), &[]);
        assert_eq!(
            meant("Secureboot", &["UEFI", "UEFISecureBoot", "legacy"]),
            Some(Suggestion {
                word: "UEFISecureBoot",
                fix: Some(Applicability::Unsafe)
            })
        );
        assert_eq!(meant("dell", &["dell-r650-gpu", "dell-r760-gpu"]), None);
        assert_eq!(meant("gpu", &["dell-r650-gpu"]), None);
    }
}
