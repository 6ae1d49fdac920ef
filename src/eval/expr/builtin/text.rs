//! Functions of numbers, text and lists.

use super::{Args, Fault};
use crate::eval::expr::{MAX_LIST, Val};

/// Widest number that `pad` and `hex` write.
const MAX_WIDTH: i64 = 64;

fn width(args: &Args<'_>, nth: usize) -> Result<usize, Fault> {
    match args.int(nth)? {
        width @ 0..=MAX_WIDTH => Ok(width as usize),
        width => Err(Fault::argument(
            nth,
            format!("the width {width} is outside 0–{MAX_WIDTH}"),
        )),
    }
}

fn natural(args: &Args<'_>, nth: usize) -> Result<i64, Fault> {
    match args.int(nth)? {
        number @ 0.. => Ok(number),
        number => Err(Fault::argument(nth, format!("{number} is negative"))),
    }
}

/// Whether a text of that length may be made; asked before it is, where it may be far longer than
/// the arguments.
fn bounded(args: &Args<'_>, length: usize) -> Result<(), Fault> {
    let limit = args.max_string();
    if length > limit {
        return Err(Fault::too_long(format!(
            "the text becomes {length} bytes long, the limit is {limit}"
        )));
    }
    Ok(())
}

pub(super) fn pad(args: &Args<'_>) -> Result<Val, Fault> {
    let width = width(args, 1)?;
    // Facts from tables are often strings of digits.
    if let Ok(digits) = args.text(0) {
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fault::argument(
                0,
                "`pad` takes a number, this string is none",
            ));
        }
        return Ok(Val::from(format!("{digits:0>width$}")));
    }
    Ok(Val::from(format!("{:0width$}", natural(args, 0)?)))
}

pub(super) fn hex(args: &Args<'_>) -> Result<Val, Fault> {
    let number = natural(args, 0)?;
    let width = if args.0.len() > 1 { width(args, 1)? } else { 0 };
    Ok(Val::from(format!("{number:0width$x}")))
}

pub(super) fn min(args: &Args<'_>) -> Result<Val, Fault> {
    extreme(args, i64::min)
}

pub(super) fn max(args: &Args<'_>) -> Result<Val, Fault> {
    extreme(args, i64::max)
}

fn extreme(args: &Args<'_>, pick: fn(i64, i64) -> i64) -> Result<Val, Fault> {
    if let [Val::List(items)] = args.0 {
        let mut best = None;
        for item in items.iter() {
            let Val::Int(number) = item else {
                return Err(args
                    .wrong(0, "a list of integers")
                    .help(format!("it holds {item}")));
            };
            best = Some(best.map_or(*number, |so_far| pick(so_far, *number)));
        }
        return best
            .map(Val::Int)
            .ok_or_else(|| Fault::argument(0, "an empty list has neither smallest nor largest"));
    }
    let mut best = args.int(0)?;
    for nth in 1..args.0.len() {
        best = pick(best, args.int(nth)?);
    }
    Ok(Val::Int(best))
}

pub(super) fn lower(args: &Args<'_>) -> Result<Val, Fault> {
    Ok(Val::from(args.text(0)?.to_ascii_lowercase()))
}

pub(super) fn upper(args: &Args<'_>) -> Result<Val, Fault> {
    Ok(Val::from(args.text(0)?.to_ascii_uppercase()))
}

pub(super) fn replace(args: &Args<'_>) -> Result<Val, Fault> {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    if from.is_empty() {
        return Err(Fault::argument(
            1,
            "nothing to look for: the text to replace is empty",
        ));
    }
    // Counted first: a replacement may be far longer than the text.
    let found = text.matches(from).count();
    let length = text.len() - found * from.len() + found.saturating_mul(to.len());
    bounded(args, length)?;
    Ok(Val::from(text.replace(from, to)))
}

pub(super) fn contains(args: &Args<'_>) -> Result<Val, Fault> {
    match &args.0[0] {
        Val::List(items) => Ok(Val::Bool(items.contains(&args.0[1]))),
        Val::Str(text) => Ok(Val::Bool(text.contains(args.text(1)?))),
        Val::Int(_) | Val::Bool(_) => Err(args.wrong(0, "a string or a list")),
    }
}

pub(super) fn starts_with(args: &Args<'_>) -> Result<Val, Fault> {
    Ok(Val::Bool(args.text(0)?.starts_with(args.text(1)?)))
}

pub(super) fn ends_with(args: &Args<'_>) -> Result<Val, Fault> {
    Ok(Val::Bool(args.text(0)?.ends_with(args.text(1)?)))
}

pub(super) fn len(args: &Args<'_>) -> Result<Val, Fault> {
    match &args.0[0] {
        Val::List(items) => Ok(Val::Int(items.len() as i64)),
        Val::Str(text) => Ok(Val::Int(text.chars().count() as i64)),
        Val::Int(_) | Val::Bool(_) => Err(args.wrong(0, "a string or a list")),
    }
}

pub(super) fn split(args: &Args<'_>) -> Result<Val, Fault> {
    let (text, by) = (args.text(0)?, args.text(1)?);
    if by.is_empty() {
        return Err(Fault::argument(
            1,
            "nothing to split by: the separator is empty",
        ));
    }
    let parts = text.matches(by).count() + 1;
    if parts > MAX_LIST {
        return Err(Fault::too_long(format!(
            "the list becomes {parts} items long, the limit is {MAX_LIST}"
        )));
    }
    Ok(Val::List(text.split(by).map(Val::from).collect()))
}

pub(super) fn join(args: &Args<'_>) -> Result<Val, Fault> {
    let (items, by) = (args.list(0)?, args.text(1)?);
    let mut out = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(by);
        }
        // A list holds no lists, so every item can be written.
        item.render(&mut out);
        bounded(args, out.len())?;
    }
    Ok(Val::from(out))
}
