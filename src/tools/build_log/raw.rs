//! `--progress=rawjson` of buildx: documents over many lines (0.13) or on one (later).

use serde::Deserialize;

use crate::command::json;

/// A document that is longer is given up; buildx sends one every 100 ms.
const DOCUMENT_MAX: usize = 8 << 20;

/// One report of the solver: what has changed since the last one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    pub(super) vertexes: Vec<Vertex>,
    pub(super) statuses: Vec<Status>,
    pub(super) logs: Vec<Log>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Vertex {
    pub(super) digest: String,
    pub(super) name: String,
    pub(super) started: String,
    pub(super) completed: String,
    pub(super) cached: bool,
    pub(super) error: String,
}

/// A part of a step: a layer that comes down, `writing image sha256:…`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) id: String,
    pub(super) vertex: String,
    pub(super) current: u64,
    pub(super) total: u64,
}

/// What a step printed, in base64.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Log {
    pub(super) vertex: String,
    data: String,
}

impl Vertex {
    /// How long it took. Steps that run over midnight are still right.
    pub(super) fn seconds(&self) -> Option<f64> {
        let taken = second_of_day(&self.completed)? - second_of_day(&self.started)?;
        Some(if taken < 0.0 { taken + 86_400.0 } else { taken })
    }
}

/// Of `2026-11-24T12:02:51.196960289Z`.
fn second_of_day(time: &str) -> Option<f64> {
    let (_, clock) = time.strip_suffix('Z')?.split_once('T')?;
    clock.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

impl Log {
    pub(super) fn text(&self) -> String {
        let mut bytes = Vec::with_capacity(self.data.len() / 4 * 3);
        let (mut bits, mut count) = (0_u32, 0);
        for byte in self.data.bytes() {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => continue,
            };
            bits = (bits << 6) | u32::from(value);
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from((bits >> count) & 0xff).unwrap_or_default());
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Puts documents together from the lines that they come in.
#[derive(Debug, Default)]
pub(super) struct Documents {
    text: String,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// What a line was.
#[derive(Debug)]
pub(super) enum Piece {
    Complete(Report),
    Part,
    /// Not of a document.
    Other,
}

impl Documents {
    pub(super) fn read(&mut self, line: &str) -> Piece {
        if self.depth == 0 && !line.starts_with('{') {
            return Piece::Other;
        }
        for byte in line.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' if !self.in_string => self.depth += 1,
                b'}' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        // A long line comes in pieces, so nothing may be put between them.
        self.text.push_str(line);
        if self.depth > 0 && self.text.len() < DOCUMENT_MAX {
            return Piece::Part;
        }
        let Self { text, .. } = std::mem::take(self);
        json::document(&text).map_or(Piece::Other, Piece::Complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_may_come_in_pieces() {
        let mut documents = Documents::default();
        let pieces = [r#"{"logs":[{"vertex":"a}{\"","da"#, r#"ta":"aGVsbG8="}]}"#];
        assert!(matches!(documents.read(pieces[0]), Piece::Part));
        let Piece::Complete(report) = documents.read(pieces[1]) else { panic!("it is complete") };
        assert_eq!(
            (report.logs[0].vertex.as_str(), report.logs[0].text()),
            ("a}{\"", "hello".into())
        );
        assert!(matches!(documents.read("ERROR: failed to solve"), Piece::Other));
        assert!(matches!(documents.read("{no document}"), Piece::Other));
    }

    #[test]
    fn base64_is_read() {
        let text = |data: &str| Log { data: data.into(), ..Log::default() }.text();
        for (data, plain) in
            [("", ""), ("YQ==", "a"), ("YWI=", "ab"), ("YWJj", "abc"), ("w6TigqwK", "ä€\n")]
        {
            assert_eq!(text(data), plain);
        }
    }

    #[test]
    fn a_step_may_run_over_midnight() {
        let vertex = Vertex {
            started: "2026-11-24T23:59:59.5Z".into(),
            completed: "2026-11-25T00:00:01Z".into(),
            ..Vertex::default()
        };
        assert_eq!(vertex.seconds(), Some(1.5));
    }
}
