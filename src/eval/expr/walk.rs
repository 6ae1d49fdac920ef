//! A tree to its value.

use std::cmp::Ordering;
use std::ops::Range;

use smallvec::SmallVec;

use super::builtin::{Args, Run};
use super::error::{ARITHMETIC, CONFIG, TOO_LONG, TYPE};
use super::node::{Kind, Node, Op, Path, Test};
use super::{Env, ExprError, MAX_LIST, Val};

/// The value of `node`, whose places are in `text`. Depth is bounded by the parser.
pub(super) fn value(node: &Node, text: &str, env: &dyn Env) -> Result<Val, ExprError> {
    match &node.kind {
        Kind::Literal(value) => Ok(value.clone()),
        Kind::Path(path) => path.value(text, env).ok_or_else(|| {
            path.with(text, |path| {
                ExprError::unknown(path, text, node.range(), env)
            })
        }),
        Kind::List(items) => {
            if items.len() > MAX_LIST {
                return Err(list_too_long(items.len(), node.range()));
            }
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                values.push(match value(item, text, env)? {
                    Val::List(_) => {
                        return Err(ExprError::new(
                            TYPE,
                            "a list cannot hold a list",
                            item.range(),
                        )
                        .help("`a + b` joins two lists"));
                    }
                    other => other,
                });
            }
            Ok(Val::from(values))
        }
        Kind::Call(function, args) => {
            let Run::Plain(run) = function.run else {
                // The parser gives the other functions their own kinds.
                return Err(ExprError::new(TYPE, "not a plain function", node.range()));
            };
            let mut values: SmallVec<[Val; 4]> = SmallVec::with_capacity(args.len());
            for arg in args {
                values.push(value(arg, text, env)?);
            }
            let limit = env.max_string();
            let value = run(&Args::new(&values, limit)).map_err(|fault| {
                let range = fault
                    .arg
                    .and_then(|nth| args.get(nth))
                    .unwrap_or(node)
                    .range();
                let error = ExprError::new(fault.code, fault.message, range);
                let error = error.help(
                    fault
                        .help
                        .unwrap_or_else(|| format!("`{}`: {}", function.signature, function.doc)),
                );
                // A better argument can be written in only where a literal stood.
                let literal = fault
                    .arg
                    .and_then(|nth| args.get(nth))
                    .is_some_and(|arg| matches!(arg.kind, Kind::Literal(_)));
                match fault.suggestion {
                    Some(text) if literal => error.suggest(Val::from(text).to_string()),
                    _ => error,
                }
            })?;
            match &value {
                Val::Str(text) if text.len() > limit => {
                    Err(string_too_long(text.len(), limit, node.range()))
                }
                _ => Ok(value),
            }
        }
        Kind::Has(inner) => {
            let Kind::Path(path) = &inner.kind else {
                return Ok(Val::Bool(true));
            };
            lookup_optional(path, inner, text, env).map(|value| Val::Bool(value.is_some()))
        }
        Kind::Coalesce(names, default) => {
            for name in names {
                if let Kind::Path(path) = &name.kind
                    && let Some(value) = lookup_optional(path, name, text, env)?
                {
                    return Ok(value);
                }
            }
            value(default, text, env)
        }
        Kind::Not(inner) => {
            boolean(inner, text, env, "`!` takes a condition").map(|yes| Val::Bool(!yes))
        }
        Kind::Negate(inner) => match value(inner, text, env)? {
            Val::Int(number) => number
                .checked_neg()
                .map(Val::Int)
                .ok_or_else(|| overflow(&format!("-({number})"), node.range())),
            other => Err(ExprError::new(
                TYPE,
                format!("`-` takes an integer, this is {}", other.article()),
                inner.range(),
            )),
        },
        Kind::Chain(first, rest) => {
            let mut total = value(first, text, env)?;
            for (op, next) in rest {
                let right = value(next, text, env)?;
                let range = first.range().start..next.range().end;
                total = arithmetic(*op, total, right, range, next, env.max_string())?;
            }
            Ok(total)
        }
        Kind::Compare(test, sides) => {
            let [left, right] = &**sides;
            let (a, b) = (value(left, text, env)?, value(right, text, env)?);
            compare(*test, &a, &b, node.range()).map(Val::Bool)
        }
        Kind::All(parts) => logic(parts, text, env, "`&&` joins conditions", false),
        Kind::Any(parts) => logic(parts, text, env, "`||` joins conditions", true),
    }
}

/// The value, none where the name is unknown; configuration is an error all the same.
fn lookup_optional(
    path: &Path,
    node: &Node,
    text: &str,
    env: &dyn Env,
) -> Result<Option<Val>, ExprError> {
    let found = path.value(text, env);
    if found.is_none() {
        let error = path.with(text, |path| {
            env.is_config(path)
                .then(|| ExprError::unknown(path, text, node.range(), env))
        });
        if let Some(error) = error {
            debug_assert_eq!(error.code, CONFIG);
            return Err(error);
        }
    }
    Ok(found)
}

/// Left to right, up to the first part that decides.
fn logic(
    parts: &[Node],
    text: &str,
    env: &dyn Env,
    rule: &str,
    decides: bool,
) -> Result<Val, ExprError> {
    for part in parts {
        if boolean(part, text, env, rule)? == decides {
            return Ok(Val::Bool(decides));
        }
    }
    Ok(Val::Bool(!decides))
}

fn boolean(node: &Node, text: &str, env: &dyn Env, rule: &str) -> Result<bool, ExprError> {
    match value(node, text, env)? {
        Val::Bool(yes) => Ok(yes),
        other => Err(ExprError::new(
            TYPE,
            format!("{rule}, this is {}", other.article()),
            node.range(),
        )
        .help("compare it with something, such as `host.slot > 0`")),
    }
}

fn arithmetic(
    op: Op,
    left: Val,
    right: Val,
    range: Range<usize>,
    next: &Node,
    limit: usize,
) -> Result<Val, ExprError> {
    let sign = match op {
        Op::Add => '+',
        Op::Subtract => '-',
        Op::Multiply => '*',
        Op::Divide => '/',
        Op::Remainder => '%',
    };
    match (left, right) {
        (Val::Int(a), Val::Int(b)) => {
            let result = match op {
                Op::Add => a.checked_add(b),
                Op::Subtract => a.checked_sub(b),
                Op::Multiply => a.checked_mul(b),
                Op::Divide | Op::Remainder if b == 0 => {
                    return Err(ExprError::new(ARITHMETIC, "division by zero", next.range())
                        .help(format!("`{a} {sign} 0` has no value")));
                }
                Op::Divide => a.checked_div(b),
                Op::Remainder => a.checked_rem(b),
            };
            result
                .map(Val::Int)
                .ok_or_else(|| overflow(&format!("{a} {sign} {b}"), range))
        }
        (Val::Str(a), Val::Str(b)) if op == Op::Add => {
            let length = a.len() + b.len();
            if length > limit {
                return Err(string_too_long(length, limit, range));
            }
            let mut text = String::with_capacity(length);
            text.push_str(&a);
            text.push_str(&b);
            Ok(Val::from(text))
        }
        (Val::List(a), Val::List(b)) if op == Op::Add => {
            let length = a.len() + b.len();
            if length > MAX_LIST {
                return Err(list_too_long(length, range));
            }
            Ok(Val::List(a.iter().chain(b.iter()).cloned().collect()))
        }
        (a, b) => {
            let error = ExprError::new(
                TYPE,
                format!(
                    "`{sign}` does not work on {} and {}",
                    a.article(),
                    b.article()
                ),
                range,
            );
            Err(match (op, &a, &b) {
                (Op::Add, Val::Str(_), Val::Int(_)) | (Op::Add, Val::Int(_), Val::Str(_)) => error
                    .help(
                        "write both into the text, as in `\"n${host.slot}\"`, or use `pad(n, 2)`",
                    ),
                (Op::Add, ..) => error.help("`+` takes two integers, two strings or two lists"),
                _ => error.help(format!("`{sign}` takes two integers")),
            })
        }
    }
}

fn compare(test: Test, a: &Val, b: &Val, range: Range<usize>) -> Result<bool, ExprError> {
    if test == Test::In {
        return match (a, b) {
            (Val::Str(part), Val::Str(whole)) => Ok(whole.contains(&**part)),
            (item, Val::List(items)) => Ok(items.contains(item)),
            (item, Val::Str(_)) => Err(ExprError::new(
                TYPE,
                format!(
                    "`in` looks for a string in a string, not for {}",
                    item.article()
                ),
                range,
            )),
            (_, other) => Err(ExprError::new(
                TYPE,
                format!(
                    "`in` looks in a list or a string, not in {}",
                    other.article()
                ),
                range,
            )
            .help("write a list, as in `host.slot in [1, 2]`")),
        };
    }
    let order = match (a, b) {
        (Val::Int(a), Val::Int(b)) => a.cmp(b),
        // By bytes, which is the order of code points too.
        (Val::Str(a), Val::Str(b)) => a.cmp(b),
        (Val::Bool(_), Val::Bool(_)) | (Val::List(_), Val::List(_))
            if matches!(test, Test::Equal | Test::NotEqual) =>
        {
            // Only equality is asked: any order but `Equal` will do.
            if a == b {
                Ordering::Equal
            } else {
                Ordering::Less
            }
        }
        (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) => {
            return Err(
                ExprError::new(TYPE, format!("{} has no order", a.article()), range)
                    .help("`<`, `<=`, `>` and `>=` compare integers or strings"),
            );
        }
        (a, b) => {
            let error = ExprError::new(
                TYPE,
                format!("{} is never compared with {}", a.article(), b.article()),
                range,
            );
            return Err(match (a, b) {
                (Val::Str(text), Val::Int(_)) | (Val::Int(_), Val::Str(text))
                    if text.parse::<i64>().is_ok() =>
                {
                    error.help(format!(
                        "`'{text}'` is a string: as a number it has no quotes"
                    ))
                }
                (Val::Bool(_), _) | (_, Val::Bool(_)) => {
                    error.help("`true` and `false` stand without quotes")
                }
                _ => error,
            });
        }
    };
    Ok(match test {
        Test::Equal => order.is_eq(),
        Test::NotEqual => order.is_ne(),
        Test::Less => order.is_lt(),
        Test::LessOrEqual => order.is_le(),
        Test::Greater => order.is_gt(),
        Test::GreaterOrEqual | Test::In => order.is_ge(),
    })
}

#[cold]
fn overflow(what: &str, range: Range<usize>) -> ExprError {
    ExprError::new(ARITHMETIC, format!("`{what}` does not fit 64 bits"), range)
}

#[cold]
pub(super) fn string_too_long(length: usize, limit: usize, range: Range<usize>) -> ExprError {
    ExprError::new(
        TOO_LONG,
        format!("the text becomes {length} bytes long, the limit is {limit}"),
        range,
    )
}

#[cold]
fn list_too_long(length: usize, range: Range<usize>) -> ExprError {
    ExprError::new(
        TOO_LONG,
        format!("the list becomes {length} items long, the limit is {MAX_LIST}"),
        range,
    )
}
