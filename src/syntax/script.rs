//! Letters that look like other letters (MF1014).

/// What is odd about a word, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oddity {
    /// A code point that does not show.
    Invisible(char),
    /// A quotation mark as a word processor writes it: a letter like any other to KDL.
    Quotes(char),
    /// A letter of another alphabet among Latin ones.
    Mixed {
        /// The letter.
        letter: char,
        /// Its alphabet.
        script: &'static str,
        /// The Latin letter that it looks like.
        looks_like: Option<char>,
    },
    /// All letters are of another alphabet, and all look like Latin ones.
    Lookalike(&'static str),
}

/// Looks at a word that has code points beyond ASCII.
pub(super) fn oddity(word: &str) -> Option<Oddity> {
    if let Some(c) = word.chars().find(|c| is_invisible(*c)) {
        return Some(Oddity::Invisible(c));
    }
    if let Some(c) = word.chars().find(|c| is_quote(*c)) {
        return Some(Oddity::Quotes(c));
    }
    let latin = word.chars().any(|c| script(c) == Some("Latin"));
    let mut others = word.chars().filter_map(|c| {
        script(c)
            .filter(|script| *script != "Latin")
            .map(|script| (c, script))
    });
    let (letter, script) = others.next()?;
    if latin {
        return Some(Oddity::Mixed {
            letter,
            script,
            looks_like: looks_like(letter),
        });
    }
    let all = looks_like(letter).is_some() && others.all(|(c, _)| looks_like(c).is_some());
    (all && word.chars().filter(|c| c.is_alphabetic()).count() > 1)
        .then_some(Oddity::Lookalike(script))
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{115f}'
            | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0000}'..='\u{e01ef}'
    )
}

/// True for quotation marks that are not those of KDL.
pub(super) fn is_quote(c: char) -> bool {
    matches!(
        c,
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}'
    )
}

/// The alphabets that are mistaken for each other; other letters do no harm.
fn script(c: char) -> Option<&'static str> {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => Some("Latin"),
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some("Greek"),
        '\u{400}'..='\u{52f}' => Some("Cyrillic"),
        '\u{531}'..='\u{58f}' => Some("Armenian"),
        '\u{13a0}'..='\u{13ff}' => Some("Cherokee"),
        '\u{ff01}'..='\u{ff5e}' => Some("full-width"),
        '\u{1d400}'..='\u{1d7ff}' => Some("mathematical"),
        _ => None,
    }
}

/// The ASCII character that most fonts draw alike.
fn looks_like(c: char) -> Option<char> {
    Some(match c {
        'а' | 'α' => 'a',
        'е' => 'e',
        'о' | 'ο' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'с' | 'ϲ' => 'c',
        'у' | 'γ' => 'y',
        'х' | 'χ' => 'x',
        'і' | 'ι' => 'i',
        'ј' | 'ϳ' => 'j',
        'ѕ' => 's',
        'һ' => 'h',
        'ԁ' => 'd',
        'ԛ' => 'q',
        'ԝ' | 'ω' => 'w',
        'ν' => 'v',
        'υ' => 'u',
        'κ' => 'k',
        'ո' => 'n',
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' | 'Ϲ' => 'C',
        'Е' | 'Ε' => 'E',
        'Н' | 'Η' => 'H',
        'І' | 'Ι' => 'I',
        'Ј' | 'Ϳ' => 'J',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'Ν' => 'N',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'Х' | 'Χ' => 'X',
        'Υ' => 'Y',
        'Ζ' => 'Z',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0)?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_pose_as_others_are_found() {
        assert_eq!(
            oddity("hоst"),
            Some(Oddity::Mixed {
                letter: 'о',
                script: "Cyrillic",
                looks_like: Some('o')
            })
        );
        assert_eq!(oddity("сосо"), Some(Oddity::Lookalike("Cyrillic")));
        assert_eq!(oddity("r01\u{200b}"), Some(Oddity::Invisible('\u{200b}')));
        assert_eq!(oddity("“db”"), Some(Oddity::Quotes('“')));
        for fine in ["größe", "москва", "αβγ", "機械", "node-é", "π"] {
            assert_eq!(oddity(fine), None, "{fine}");
        }
    }
}
