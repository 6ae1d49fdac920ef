//! Laws: no text does harm, and sums are sums.

use super::*;

/// Texts that are often nearly expressions.
fn exprish() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        4 => prop::sample::select(vec![
            "+", "-", "*", "/", "%", "&&", "||", "!", "==", "!=", "<", "<=", ">", " in ", "(", ")",
            "[", "]", ",", "}", "${", "$${", " ", ".", "true", "0x",
        ])
        .prop_map(str::to_owned),
        3 => prop::sample::select(vec![
            "host.slot", "host.name", "host.nics", "rack.row", "boot.mode", "nope", "bmc_net",
        ])
        .prop_map(str::to_owned),
        2 => prop::sample::select(builtin::TABLE.iter().map(|f| f.example).collect::<Vec<_>>())
            .prop_map(str::to_owned),
        1 => prop::sample::select(builtin::TABLE.iter().map(|f| f.name).collect::<Vec<_>>())
            .prop_map(|name| format!("{name}(")),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        1 => (-3..20i64).prop_map(|number| number.to_string()),
        1 => "'[a-zé\\\\]{0,4}'",
        1 => ".{0,3}",
    ];
    prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

/// Expressions that parse, with their value computed beside.
fn sums() -> impl Strategy<Value = (String, Option<i64>)> {
    let leaf = (-9..10i64).prop_map(|number| (format!("({number})"), Some(number)));
    leaf.prop_recursive(4, 32, 2, |inner| {
        (inner.clone(), 0..5usize, inner).prop_map(|((a, x), op, (b, y))| {
            let value = x.zip(y).and_then(|(x, y)| match op {
                0 => x.checked_add(y),
                1 => x.checked_sub(y),
                2 => x.checked_mul(y),
                3 => x.checked_div(y),
                _ => x.checked_rem(y),
            });
            (
                format!("({a} {} {b})", ["+", "-", "*", "/", "%"][op]),
                value,
            )
        })
    })
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in ".{0,60}") {
        drop(template(&text));
        drop(eval(&text));
    }

    #[test]
    fn errors_point_into_the_text(text in exprish(), around in "[a $]{0,3}") {
        let template_text = format!("{around}${{{text}}}{around}");
        for (text, result) in [(&text, eval(&text)), (&template_text, template(&template_text))] {
            if let Err(error) = result {
                prop_assert!(text.get(error.range.clone()).is_some(), "{text}: {error:?}");
                prop_assert!(!error.message.is_empty());
            }
        }
    }

    #[test]
    fn arithmetic_agrees_with_rust((text, value) in sums()) {
        prop_assert_eq!(eval(&text).ok(), value.map(Val::Int));
    }

    #[test]
    fn a_shown_value_reads_back(text in exprish()) {
        let Ok(value) = eval(&text) else { return Ok(()) };
        prop_assert_eq!(eval(&value.to_string()).unwrap(), value.clone());
        // With values in the place of names the result is the same, but for `has` and `coalesce`.
        if !text.contains("has(") && !text.contains("coalesce(") {
            let shown = Expr::compile(&text).unwrap().show(&facts());
            prop_assert_eq!(eval(&shown).unwrap(), value);
        }
    }

    #[test]
    fn any_text_can_be_written_as_a_literal(text in any::<String>()) {
        let value = Val::from(text);
        prop_assert_eq!(eval(&value.to_string()).unwrap(), value);
    }

    #[test]
    fn a_text_without_dollar_is_itself(text in "[^$]{0,40}") {
        prop_assert_eq!(template(&text).unwrap(), Val::from(text));
    }
}
