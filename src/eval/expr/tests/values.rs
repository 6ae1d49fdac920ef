//! What expressions mean.

use super::*;

#[test]
fn operators_bind_as_in_cel() {
    for (text, value) in [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 2 - 3", "5"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("-7 % 2", "-1"),
        ("7 % -2", "1"),
        ("--3", "3"),
        ("2 * -3", "-6"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("0x1F", "31"),
        ("1 + 1 == 2 && !false", "true"),
        ("true || 1 / 0 == 1", "true"),
        ("false && 1 / 0 == 1", "false"),
        ("false || false || true", "true"),
        ("1 < 2", "true"),
        ("'n10' < 'n2'", "true"),
        ("'a' + 'b' + 'c'", "'abc'"),
        ("[1] + [2, 'x']", "[1, 2, 'x']"),
        ("[] == []", "true"),
        ("'eno1' in host.nics", "true"),
        ("3 in [1, 2]", "false"),
        ("'-n' in host.name", "true"),
        ("host.slot * 16 + rack.index", "113"),
        ("rack.row == 'b' && host.slot >= 7", "true"),
        ("'it\\'s \\\\ a\\ttab'", "'it\\'s \\\\ a\\ttab'"),
        (" ( 1 ) ", "1"),
    ] {
        assert_eq!(show_value(text), value, "{text}");
    }
}

#[test]
fn every_function_does_what_the_table_says() {
    for function in builtin::TABLE {
        assert_eq!(
            show_value(function.example),
            function.result,
            "{}",
            function.example
        );
        assert!(
            function.signature.starts_with(function.name),
            "{}",
            function.name
        );
        assert!(function.doc.ends_with('.'), "{}", function.name);
    }
}

#[test]
fn addresses_of_both_families() {
    for (text, value) in [
        ("subnet('10.20.0.0/16', 16, 0)", "'10.20.0.0/16'"),
        ("subnet('10.20.0.0/16', 24, 255)", "'10.20.255.0/24'"),
        (
            "subnet('0.0.0.0/0', 32, 4294967295)",
            "'255.255.255.255/32'",
        ),
        ("subnet('fd00::/48', 64, 10)", "'fd00:0:0:a::/64'"),
        ("subnet('::/0', 128, 5)", "'::5/128'"),
        ("ip(bmc_net, host.slot + 10)", "'10.20.1.17'"),
        ("ip('10.0.0.0/31', 0)", "'10.0.0.0'"),
        ("ip('10.0.0.7/32', 0)", "'10.0.0.7'"),
        ("ip('fd00:20::/64', 11)", "'fd00:20::b'"),
        ("ip('fd00::/126', 3)", "'fd00::3'"),
        (
            "ip(param.node_net, rack.index * 256 + host.slot + 10)",
            "'172.22.1.17'",
        ),
        ("ip_add('10.0.1.0', -1)", "'10.0.0.255'"),
        ("ip_add('fd00::ffff', 1)", "'fd00::1:0'"),
        ("prefix('172.22.0.5/20')", "20"),
        ("prefix('::/0')", "0"),
        ("mac('b0:7b:25:01:00:00', 7 * 16)", "'b0:7b:25:01:00:70'"),
        ("mac('b0:7b:25:01:00:70', -0x70)", "'b0:7b:25:01:00:00'"),
    ] {
        assert_eq!(show_value(text), value, "{text}");
    }
}

#[test]
fn text_and_lists() {
    for (text, value) in [
        ("pad(123, 2)", "'123'"),
        ("pad('7', 3)", "'007'"),
        ("hex(255)", "'ff'"),
        ("upper('straße')", "'STRAßE'"),
        ("replace('aaa', 'a', 'bb')", "'bbbbbb'"),
        ("len('é🦀')", "2"),
        ("len([])", "0"),
        ("split('', ',')", "['']"),
        ("split(',a,', ',')", "['', 'a', '']"),
        ("join(host.nics, ',')", "'eno1,eno2'"),
        ("join([], ',')", "''"),
        ("contains(host.nics, 'eno2')", "true"),
        ("min([2, 1])", "1"),
        ("max(1)", "1"),
        ("has(host.slot)", "true"),
        ("has(host.serial) || has(rack.row)", "true"),
        ("coalesce(host.serial, rack.serial, 'none')", "'none'"),
        ("coalesce(host.serial, host.name)", "'r01-n07'"),
    ] {
        assert_eq!(show_value(text), value, "{text}");
    }
}

#[test]
fn a_single_expression_keeps_its_type() {
    assert_eq!(template("${param.prov_vlan}").unwrap(), Val::Int(120));
    assert_eq!(template("${ host.spare }").unwrap(), Val::Bool(false));
    assert_eq!(
        template("${host.nics}").unwrap().to_string(),
        "['eno1', 'eno2']"
    );
    assert_eq!(template("swp${host.slot}").unwrap(), Val::from("swp7"));
    assert_eq!(
        template("${rack.row}${host.spare}${-1}").unwrap(),
        Val::from("bfalse-1")
    );
}

#[test]
fn dollars_are_text_unless_a_brace_follows() {
    for (text, value) in [
        ("", ""),
        ("$", "$"),
        ("a$b $$ {}", "a$b $$ {}"),
        ("$${host.name}", "${host.name}"),
        ("$$${host.name}", "$${host.name}"),
        ("$${${host.slot}}", "${7}"),
        ("${'}'}${'${'}", "}${"),
    ] {
        assert_eq!(template(text).unwrap(), Val::from(value), "{text}");
    }
    assert!(template::is_plain("$ {}"));
    assert!(!template::is_plain("$${"));
}

#[test]
fn references_tell_what_is_read() {
    let template =
        Template::compile("${rack.row}-${coalesce(host.serial, host.name)}-${has(host.slot)}")
            .unwrap();
    let all: Vec<String> = template
        .references()
        .iter()
        .map(|found| {
            assert_eq!(&template.text()[found.range.clone()], found.path);
            format!("{}{}", found.path, if found.optional { "?" } else { "" })
        })
        .collect();
    assert_eq!(all, ["rack.row", "host.serial?", "host.name", "host.slot?"]);
    assert!(
        Template::compile("${1 + 1}")
            .unwrap()
            .references()
            .is_empty()
    );
}

#[test]
fn show_puts_the_values_in() {
    let show = |text: &str| Template::compile(text).unwrap().show(&facts());
    assert_eq!(
        show("${mac('b0:7b:25:01:00:00', host.slot * 16)}"),
        "mac('b0:7b:25:01:00:00', 7 * 16)"
    );
    assert_eq!(
        show("redfish://${ip(bmc_net, host.slot + 10)}/${rack.row}/${host.serial}"),
        "redfish://${ip('10.20.1.0/24', 7 + 10)}/b/${host.serial}"
    );
    assert_eq!(
        show("${has(host.slot) && 'x' in host.nics}"),
        "has(host.slot) && 'x' in ['eno1', 'eno2']"
    );
    assert_eq!(show("plain $${x}"), "plain ${x}");
}

#[test]
fn values_tell_why_a_condition_holds() {
    let text = "param.prov_vlan % 2 == 1 && !(rack.row in ['a', 'b']) || has(host.serial)";
    let expr = Expr::compile(text).unwrap();
    let values: Vec<String> = expr
        .values(&facts())
        .iter()
        .map(|(text, value)| format!("{text} = {value}"))
        .collect();
    assert_eq!(
        values,
        [
            "param.prov_vlan % 2 = 0",
            "param.prov_vlan = 120",
            "rack.row = 'b'",
            "has(host.serial) = false"
        ]
    );
    assert!(!expr.test(&facts()).unwrap());
}

/// The reference has every function as the table has it. `BLESS=1` writes the section anew.
#[test]
fn the_reference_lists_every_function() {
    const START: &str = "<!-- functions: generated from `builtin::TABLE` by a test -->\n";
    const END: &str = "<!-- end of functions -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/grammar/expressions.md");
    let page = std::fs::read_to_string(path).unwrap();
    let from = page.find(START).unwrap() + START.len();
    let to = page.find(END).unwrap();
    let mut wanted = String::from("| function | gives | example |\n|---|---|---|\n");
    for function in builtin::TABLE {
        let (signature, example) = (function.signature, function.example);
        wanted.push_str(&format!(
            "| `{}` | {} | `{example}` = `{}` |\n",
            signature.replace('|', "\\|"),
            function.doc,
            function.result
        ));
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, format!("{}{wanted}{}", &page[..from], &page[to..])).unwrap();
        return;
    }
    assert_eq!(&page[from..to], wanted, "run the test once with BLESS=1");
}
