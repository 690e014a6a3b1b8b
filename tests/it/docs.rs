//! The tables of the README are those of the code.

use docker_mcp_server::docs;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

#[test]
#[expect(clippy::disallowed_methods, reason = "a person asks for new tables")]
fn the_tables_of_the_readme_are_current() {
    let written = std::fs::read_to_string(README).unwrap();
    let tables = [
        ("tools", docs::tools_table()),
        ("settings", docs::settings_table()),
        ("errors", docs::errors_table()),
        ("exceptions", docs::exceptions_table()),
    ];
    let current =
        tables.into_iter().fold(written.clone(), |text, (name, table)| put(&text, name, &table));
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(README, &current).unwrap();
        return;
    }
    assert!(written == current, "the README is out of date: UPDATE_README=1 cargo test docs");
}

/// Replaces what stands between the marks of a table.
fn put(text: &str, name: &str, table: &str) -> String {
    let (open, close) = (format!("<!-- {name}: "), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&open).expect("the table has an opening mark");
    let (mark, rest) = rest.split_once('\n').expect("the mark has a line of its own");
    let (_, after) = rest.split_once(&close).expect("the table has a closing mark");
    format!("{before}{open}{mark}\n{table}{close}{after}")
}
