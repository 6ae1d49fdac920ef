//! How a field of an object is called: `spec.image.url`, `metadata.labels['example.org/zone']`.

/// The path of a field below another.
pub(crate) fn child(path: &str, name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
    if plain {
        format!("{path}.{name}")
    } else {
        format!("{path}['{name}']")
    }
}

/// The path of an item of a list.
pub(crate) fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// The names on a path that [`child`] made.
pub(crate) fn names(path: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let quoted = rest
            .strip_prefix("['")
            .and_then(|inner| inner.split_once("']"));
        let (name, after) = match quoted {
            Some(found) => found,
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        names.push(name);
        rest = after;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for parts in [
            vec!["spec", "image", "url"],
            vec!["metadata", "labels", "topology.kubernetes.io/zone"],
            vec!["metadata", "annotations", "a.b/c", "d"],
            vec!["spec", "odd name", "x"],
        ] {
            let path = parts[1..]
                .iter()
                .fold(parts[0].to_owned(), |path, name| child(&path, name));
            assert_eq!(names(&path), parts, "{path}");
        }
        assert_eq!(child("metadata.labels", "a/b"), "metadata.labels['a/b']");
        assert_eq!(item("spec.taints", 2), "spec.taints[2]");
    }
}
