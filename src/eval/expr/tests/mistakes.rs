//! Mistakes: each is pointed at and explained.

use super::*;

#[test]
fn unknown_names_are_explained() {
    insta::assert_snapshot!(error("1 + host.slto"), @r"
    1 + host.slto
        ^^^^^^^^^ MF2301 unknown name `host.slto`
    help: in scope: `host.name`, `host.nics`, `host.slot`, `host.spare`
    try: host.slot
    ");
    insta::assert_snapshot!(error("slot + 1"), @r"
    slot + 1
    ^^^^ MF2301 unknown name `slot`
    help: in scope: `bmc_net`, `host.name`, `host.nics`, `host.slot`, `host.spare`, `param.node_net`, `param.prov_vlan`, `rack.index`, `rack.row`
    try: host.slot
    ");
    insta::assert_snapshot!(error("rack.index + host"), @r"
    rack.index + host
                 ^^^^ MF2301 `host` has no value of its own
    help: it holds `host.name`, `host.nics`, `host.slot`, `host.spare`
    ");
    insta::assert_snapshot!(error("param.prov-vlan == 120"), @r"
    param.prov-vlan == 120
    ^^^^^^^^^^^^^^^ MF2301 unknown name `param.prov`: a hyphen is a minus here
    help: names in expressions are joined by `_`
    try: param.prov_vlan
    ");
    insta::assert_snapshot!(error("boot.mode == 'UEFI'"), @r"
    boot.mode == 'UEFI'
    ^^^^^^^^^ MF2308 `boot.mode` is configuration, and expressions read inputs only
    help: make it a fact of the host or rack, or a `param`, and use that in both places
    ");
    insta::assert_snapshot!(error("has(boot.mode)"), @r"
    has(boot.mode)
        ^^^^^^^^^ MF2308 `boot.mode` is configuration, and expressions read inputs only
    help: make it a fact of the host or rack, or a `param`, and use that in both places
    ");
    insta::assert_snapshot!(error("hex2(4)"), @r"
    hex2(4)
    ^^^^ MF2301 unknown function `hex2`
    help: functions are `subnet`, `ip`, `ip_add`, `prefix`, `mac`, `pad`, `hex`, `min`, `max`, `lower`, `upper`, `replace`, `contains`, `starts_with`, `ends_with`, `len`, `split`, `join`, `has`, `coalesce`
    try: hex
    ");
    insta::assert_snapshot!(error("size(host.nics)"), @r"
    size(host.nics)
    ^^^^ MF2301 unknown function `size`
    help: functions are `subnet`, `ip`, `ip_add`, `prefix`, `mac`, `pad`, `hex`, `min`, `max`, `lower`, `upper`, `replace`, `contains`, `starts_with`, `ends_with`, `len`, `split`, `join`, `has`, `coalesce`
    try: len
    ");
    insta::assert_snapshot!(error("host.name.startsWith('r01')"), @r"
    host.name.startsWith('r01')
    ^^^^^^^^^^^^^^^^^^^^ MF2302 `.startsWith(…)`: functions stand in front
    help: write `starts_with(host.name, …)`
    ");
    insta::assert_snapshot!(error("rack.leafA"), @r"
    rack.leafA
         ^^^^^ MF2302 `leafA` is not a name
    help: names are lower-case letters, digits and `_`
    try: leaf_a
    ");
}

#[test]
fn syntax_is_pointed_at() {
    insta::assert_snapshot!(error(""), @r"

    ^ MF2302 the expression is empty
    ");
    insta::assert_snapshot!(error("1 +"), @r"
    1 +
       ^ MF2302 expected a value, found the end
    ");
    insta::assert_snapshot!(error("host.slot = 7"), @r"
    host.slot = 7
              ^ MF2302 `=` does not compare
    try: ==
    ");
    insta::assert_snapshot!(error("a and b"), @r"
    a and b
      ^^^ MF2302 `and` is written `&&`
    try: &&
    ");
    insta::assert_snapshot!(error("not a"), @r"
    not a
    ^^^ MF2302 `not` is written `!`
    try: !
    ");
    insta::assert_snapshot!(error("rack.row == \"b\""), @r#"
    rack.row == "b"
                ^^^ MF2302 strings stand in single quotes
    try: 'b'
    "#);
    insta::assert_snapshot!(error("1 < 2 < 3"), @r"
    1 < 2 < 3
          ^ MF2302 comparisons do not chain
    help: write `a < b && b < c`, or use parentheses
    ");
    insta::assert_snapshot!(error("host.nics[0]"), @r"
    host.nics[0]
             ^ MF2302 there is no index in expressions
    help: lists are for `in`, `join`, `len`, `min` and `max`
    ");
    insta::assert_snapshot!(error("a ? b : c"), @r"
    a ? b : c
      ^ MF2302 there is no `? :`
    help: use `when` for a choice, or `coalesce(a, b)` for a default
    ");
    insta::assert_snapshot!(error("(1 + 2"), @r"
    (1 + 2
    ^ MF2302 `(` is never closed
    help: close it with `)`
    ");
    insta::assert_snapshot!(error("min(1, 2"), @r"
    min(1, 2
       ^ MF2302 `(` is never closed
    help: close it with `)`
    ");
    insta::assert_snapshot!(error("min(1,)"), @r"
    min(1,)
          ^ MF2302 a value is missing after the comma
    ");
    insta::assert_snapshot!(error("min(1 2)"), @r"
    min(1 2)
          ^ MF2302 expected an operator, `,` or `)`, found `2`
    ");
    insta::assert_snapshot!(error("1)"), @r"
    1)
     ^ MF2302 expected an operator or the end, found `)`
    ");
    insta::assert_snapshot!(error("'abc"), @r"
    'abc
    ^^^^ MF2302 the string is never closed
    help: write `'text'`
    ");
    insta::assert_snapshot!(error("'a\\qb'"), @r"
    'a\qb'
      ^^ MF2302 unknown escape `\q`
    help: escapes are `\'`, `\\`, `\n`, `\r` and `\t`
    ");
    insta::assert_snapshot!(error("1.5"), @r"
    1.5
    ^^^ MF2302 numbers are whole, without a fraction
    ");
    insta::assert_snapshot!(error("10.0.0.0/8 == bmc_net"), @r"
    10.0.0.0/8 == bmc_net
    ^^^^^^^^^^ MF2302 an address is a string
    try: '10.0.0.0/8'
    ");
    insta::assert_snapshot!(error("480GiB"), @r"
    480GiB
    ^^^^^^ MF2302 `480GiB` is not a number
    help: expressions know no units: write the number, or set it outside of `${…}`
    ");
    insta::assert_snapshot!(error("pad(host.slot, 02)"), @r"
    pad(host.slot, 02)
                   ^^ MF2302 a number has no leading zeros
    help: `pad(n, 2)` writes a number with zeros in front
    try: 2
    ");
    insta::assert_snapshot!(error("1_000"), @r"
    1_000
    ^^^^^ MF2302 digits are not grouped in expressions
    try: 1000
    ");
    insta::assert_snapshot!(error("52:54:00 == 1"), @r"
    52:54:00 == 1
      ^ MF2302 there is no format after `:`
    help: use `pad(n, 2)` for leading zeros and `hex(n, 2)` for hexadecimal
    ");
    insta::assert_snapshot!(error("host."), @r"
    host.
        ^ MF2302 a name is missing after `.`
    ");
    insta::assert_snapshot!(error("null"), @r"
    null
    ^^^^ MF2302 there is no `null`
    help: `has(path)` tells whether a name has a value
    ");
    insta::assert_snapshot!(error("${host.slot} > 1"), @r"
    ${host.slot} > 1
    ^^ MF2302 `${` inside an expression
    help: this text is an expression already: write the name without `${` and `}`
    ");
    insta::assert_snapshot!(error("é"), @r"
    é
    ^ MF2302 `é` has no meaning in an expression
    ");
    insta::assert_snapshot!(error("9223372036854775808"), @r"
    9223372036854775808
    ^^^^^^^^^^^^^^^^^^^ MF2305 the number does not fit 64 bits with a sign
    ");
    insta::assert_snapshot!(error("subnet('10.0.0.0/8', 24)"), @r"
    subnet('10.0.0.0/8', 24)
    ^^^^^^^^^^^^^^^^^^^^^^^^ MF2307 `subnet` takes 3 arguments, not 2
    help: `subnet(cidr: string, length: int, n: int) -> string`: The n-th subnet of the given prefix length inside `cidr`, counted from 0.
    ");
    insta::assert_snapshot!(error("has(1)"), @r"
    has(1)
        ^ MF2307 `has` asks about names, this is a value
    help: write `has(host.serial)`
    ");
    insta::assert_snapshot!(error("coalesce(host.a, 1, 2)"), @r"
    coalesce(host.a, 1, 2)
                     ^ MF2307 `coalesce` asks about names, this is a value
    help: write `coalesce(host.mtu, 9000)`
    ");
}

#[test]
fn templates_point_into_the_string() {
    insta::assert_snapshot!(template_error("redfish://${ip(bmc_net, host.slot + 300)}/x"), @r"
    redfish://${ip(bmc_net, host.slot + 300)}/x
                            ^^^^^^^^^^^^^^^ MF2306 307 is outside 10.20.1.0/24
    help: usable are 1 to 254
    ");
    insta::assert_snapshot!(template_error("a-${host.slot:02}"), @r"
    a-${host.slot:02}
                 ^ MF2302 there is no format after `:`
    help: use `pad(n, 2)` for leading zeros and `hex(n, 2)` for hexadecimal
    ");
    insta::assert_snapshot!(template_error("a-${host.slot"), @r"
    a-${host.slot
      ^^ MF2302 `${` is never closed
    help: close it with `}`, or write `$${` for the text `${`
    ");
    insta::assert_snapshot!(template_error("a-${"), @r"
    a-${
      ^^ MF2302 `${` is never closed
    help: close it with `}`, or write `$${` for the text `${`
    ");
    insta::assert_snapshot!(template_error("a-${}"), @r"
    a-${}
      ^^^ MF2302 the expression is empty
    help: write a name or a value between `${` and `}`
    ");
    insta::assert_snapshot!(template_error("a-${host.nics}"), @r"
    a-${host.nics}
      ^^^^^^^^^^^^ MF2307 a list cannot stand inside a text
    help: write it with `join(list, ',')`
    ");
    insta::assert_snapshot!(template_error("é ${(1} b"), @r"
    é ${(1} b
        ^ MF2302 `(` is never closed
    help: close it with `)`
    ");
}

#[test]
fn values_that_do_not_exist() {
    insta::assert_snapshot!(error("9223372036854775807 + host.slot"), @r"
    9223372036854775807 + host.slot
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ MF2305 `9223372036854775807 + 7` does not fit 64 bits
    ");
    insta::assert_snapshot!(error("1 + host.slot / (rack.index - 1)"), @r"
    1 + host.slot / (rack.index - 1)
                    ^^^^^^^^^^^^^^^^ MF2305 division by zero
    help: `7 / 0` has no value
    ");
    insta::assert_snapshot!(error("-9223372036854775808 / -1"), @r"
    -9223372036854775808 / -1
    ^^^^^^^^^^^^^^^^^^^^^^^^^ MF2305 `-9223372036854775808 / -1` does not fit 64 bits
    ");
    insta::assert_snapshot!(error("-(-9223372036854775808)"), @r"
    -(-9223372036854775808)
    ^^^^^^^^^^^^^^^^^^^^^^^ MF2305 `-(-9223372036854775808)` does not fit 64 bits
    ");
    insta::assert_snapshot!(error("ip(bmc_net, 0)"), @r"
    ip(bmc_net, 0)
                ^ MF2306 0 is the network address of 10.20.1.0/24
    help: usable are 1 to 254
    ");
    insta::assert_snapshot!(error("ip(bmc_net, 255)"), @r"
    ip(bmc_net, 255)
                ^^^ MF2306 255 is the broadcast address of 10.20.1.0/24
    help: usable are 1 to 254
    ");
    insta::assert_snapshot!(error("ip(bmc_net, -1)"), @r"
    ip(bmc_net, -1)
                ^^ MF2306 -1 is outside 10.20.1.0/24
    help: usable are 1 to 254
    ");
    insta::assert_snapshot!(error("ip('10.20.1.7/24', 1)"), @r"
    ip('10.20.1.7/24', 1)
       ^^^^^^^^^^^^^^ MF2306 `10.20.1.7/24` is an address in a subnet, not a subnet
    help: a subnet is an address and a prefix length, such as `10.20.0.0/16`
    try: '10.20.1.0/24'
    ");
    insta::assert_snapshot!(error("ip('10.20.1.0', 1)"), @r"
    ip('10.20.1.0', 1)
       ^^^^^^^^^^^ MF2306 `10.20.1.0` has no prefix length
    help: a subnet is an address and a prefix length, such as `10.20.0.0/16`
    ");
    insta::assert_snapshot!(error("subnet(bmc_net, 16, 0)"), @r"
    subnet(bmc_net, 16, 0)
                    ^^ MF2306 the prefix length 16 is outside 24–32
    help: subnets of 10.20.1.0/24 have prefix lengths from 24 to 32
    ");
    insta::assert_snapshot!(error("subnet(bmc_net, 26, 4)"), @r"
    subnet(bmc_net, 26, 4)
                        ^ MF2306 10.20.1.0/24 has no /26 subnet 4
    help: its /26 subnets are numbered 0 to 3
    ");
    insta::assert_snapshot!(error("ip_add('255.255.255.255', 1)"), @r"
    ip_add('255.255.255.255', 1)
                              ^ MF2306 255.255.255.255 plus 1 is no address
    help: `ip_add(ip: string, n: int) -> string`: The address n after `ip`, or before it where n is negative.
    ");
    insta::assert_snapshot!(error("mac('b0:7b:25:ff:ff:f0', 16)"), @r"
    mac('b0:7b:25:ff:ff:f0', 16)
                             ^^ MF2306 b0:7b:25:ff:ff:f0 plus 16 leaves the vendor's block
    help: from here -16777200 to 15 are in it
    ");
    insta::assert_snapshot!(error("mac('b07b.2501.0000', 16)"), @r"
    mac('b07b.2501.0000', 16)
        ^^^^^^^^^^^^^^^^ MF2306 `b07b.2501.0000` is not a MAC address
    help: a MAC address is six pairs of hexadecimal digits, such as `b0:7b:25:01:00:10`
    try: 'b0:7b:25:01:00:00'
    ");
    insta::assert_snapshot!(error("pad(-1, 2)"), @r"
    pad(-1, 2)
        ^^ MF2306 -1 is negative
    help: `pad(n: int, width: int) -> string`: A number, or a string of digits, with zeros in front up to `width` digits.
    ");
    insta::assert_snapshot!(error("hex(1, 100)"), @r"
    hex(1, 100)
           ^^^ MF2306 the width 100 is outside 0–64
    help: `hex(n: int, width: int) -> string`: A number in lower-case hexadecimal with zeros in front; without `width` none.
    ");
    insta::assert_snapshot!(error("split(host.name, '')"), @r"
    split(host.name, '')
                     ^^ MF2306 nothing to split by: the separator is empty
    help: `split(s: string, by: string) -> list`: The parts of the text between each `by`.
    ");
}

#[test]
fn types_are_checked() {
    insta::assert_snapshot!(error("'n' + host.slot"), @r#"
    'n' + host.slot
    ^^^^^^^^^^^^^^^ MF2307 `+` does not work on a string and an integer
    help: write both into the text, as in `"n${host.slot}"`, or use `pad(n, 2)`
    "#);
    insta::assert_snapshot!(error("host.slot * '2'"), @r"
    host.slot * '2'
    ^^^^^^^^^^^^^^^ MF2307 `*` does not work on an integer and a string
    help: `*` takes two integers
    ");
    insta::assert_snapshot!(error("host.slot == '7'"), @r"
    host.slot == '7'
    ^^^^^^^^^^^^^^^^ MF2307 an integer is never compared with a string
    help: `'7'` is a string: as a number it has no quotes
    ");
    insta::assert_snapshot!(error("host.spare == 'false'"), @r"
    host.spare == 'false'
    ^^^^^^^^^^^^^^^^^^^^^ MF2307 a boolean is never compared with a string
    help: `true` and `false` stand without quotes
    ");
    insta::assert_snapshot!(error("host.spare < true"), @r"
    host.spare < true
    ^^^^^^^^^^^^^^^^^ MF2307 a boolean has no order
    help: `<`, `<=`, `>` and `>=` compare integers or strings
    ");
    insta::assert_snapshot!(error("host.slot && true"), @r"
    host.slot && true
    ^^^^^^^^^ MF2307 `&&` joins conditions, this is an integer
    help: compare it with something, such as `host.slot > 0`
    ");
    insta::assert_snapshot!(error("!host.slot"), @r"
    !host.slot
     ^^^^^^^^^ MF2307 `!` takes a condition, this is an integer
    help: compare it with something, such as `host.slot > 0`
    ");
    insta::assert_snapshot!(error("-host.name"), @r"
    -host.name
     ^^^^^^^^^ MF2307 `-` takes an integer, this is a string
    ");
    insta::assert_snapshot!(error("7 in host.name"), @r"
    7 in host.name
    ^^^^^^^^^^^^^^ MF2307 `in` looks for a string in a string, not for an integer
    ");
    insta::assert_snapshot!(error("7 in host.slot"), @r"
    7 in host.slot
    ^^^^^^^^^^^^^^ MF2307 `in` looks in a list or a string, not in an integer
    help: write a list, as in `host.slot in [1, 2]`
    ");
    insta::assert_snapshot!(error("[host.nics]"), @r"
    [host.nics]
     ^^^^^^^^^ MF2307 a list cannot hold a list
    help: `a + b` joins two lists
    ");
    insta::assert_snapshot!(error("upper(host.slot)"), @r"
    upper(host.slot)
          ^^^^^^^^^ MF2307 expected a string, this is an integer
    help: `upper(s: string) -> string`: The text with `a` to `z` in upper case; other letters stay.
    ");
    insta::assert_snapshot!(error("min(['a'])"), @r"
    min(['a'])
        ^^^^^ MF2307 expected a list of integers, this is a list
    help: it holds 'a'
    ");
    let text = "host.slot + 1";
    let error = Expr::compile(text).unwrap().test(&facts()).unwrap_err();
    insta::assert_snapshot!(marked(text, &error), @r"
    host.slot + 1
    ^^^^^^^^^^^^^ MF2307 a condition is true or false, this is an integer
    help: compare it with something, such as `param.prov_vlan != 120`
    ");
}

#[test]
fn sizes_are_bounded() {
    let code = |text: &str| eval(text).unwrap_err().code;
    assert_eq!(
        code(&format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000))),
        error::TOO_LONG
    );
    assert_eq!(code(&"(".repeat(2000)), error::TOO_DEEP);
    assert_eq!(code(&"!".repeat(2000)), error::TOO_DEEP);
    assert_eq!(code(&"-".repeat(2000)), error::TOO_DEEP);
    assert_eq!(code(&"[".repeat(2000)), error::TOO_DEEP);
    assert_eq!(code(&"len(".repeat(1000)), error::TOO_DEEP);
    assert_eq!(show_value(&format!("0{}", "+1".repeat(2000))), "2000");
    let doubled = |text: String| format!("replace({text}, 'a', 'aaaaaaaaaaaaaaaa')");
    let long = (0..5).fold("'aaaaaaaa'".to_owned(), |text, _| doubled(text));
    assert_eq!(code(&long), error::TOO_LONG);
    let huge = format!("${{{}}}", "1+".repeat(20_000));
    assert!(Template::compile(&huge).is_err());
    let twice = Template::compile(&format!("{}${{'a'}}", "a".repeat(MAX_STRING))).unwrap();
    assert_eq!(twice.eval(&facts()).unwrap_err().code, error::TOO_LONG);
    let list = format!("split('{}', ',')", ",".repeat(3000));
    assert_eq!(code(&format!("{list} + {list}")), error::TOO_LONG);
}
