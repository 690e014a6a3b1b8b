//! What this server has done, counted in the words of Prometheus.

use std::time::Duration;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

/// In seconds: from what memory answers to what a build takes.
const BUCKETS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Success,
    Error,
}

/// The counters of one server; a clone counts on.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    operations: IntCounterVec,
    durations: HistogramVec,
    started: IntCounter,
    running: IntGauge,
    waiting: IntGauge,
    answers: IntCounterVec,
    sent: IntCounter,
    redacted: IntCounter,
}

/// Counts one more for as long as it is kept.
pub struct OneMore(IntGauge);

impl OneMore {
    fn of(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::registered().expect("no two metrics have one name")
    }
}

impl Metrics {
    fn registered() -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| IntCounter::new(name, help);
        let metrics = Self {
            registry: Registry::new(),
            operations: IntCounterVec::new(
                Opts::new("docker_mcp_operations_total", "Calls of tools."),
                &["operation", "status"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "docker_mcp_operation_duration_seconds",
                    "How long calls of tools took.",
                )
                .buckets(BUCKETS.to_vec()),
                &["operation"],
            )?,
            started: counter("docker_mcp_processes_started_total", "Docker processes started.")?,
            running: IntGauge::new("docker_mcp_processes_running", "Docker processes that run.")?,
            waiting: IntGauge::new(
                "docker_mcp_processes_waiting",
                "Docker commands that wait until another one has ended.",
            )?,
            answers: IntCounterVec::new(
                Opts::new(
                    "docker_mcp_reads_total",
                    "Questions to docker: asked (miss) or known and unchanged (hit).",
                ),
                &["cache"],
            )?,
            sent: counter("docker_mcp_answer_bytes_total", "Bytes of answers.")?,
            redacted: counter("docker_mcp_redactions_total", "Secrets hidden in answers.")?,
        };
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.operations.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.started.clone()))?;
        registry.register(Box::new(metrics.running.clone()))?;
        registry.register(Box::new(metrics.waiting.clone()))?;
        registry.register(Box::new(metrics.answers.clone()))?;
        registry.register(Box::new(metrics.sent.clone()))?;
        registry.register(Box::new(metrics.redacted.clone()))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// So many secrets were hidden.
    pub fn hidden(&self, secrets: usize) {
        self.redacted.inc_by(secrets as u64);
    }

    pub fn called(&self, tool: &str, status: Status, duration: Duration) {
        let status = match status {
            Status::Success => "success",
            Status::Error => "error",
        };
        self.operations.with_label_values(&[tool, status]).inc();
        self.durations.with_label_values(&[tool]).observe(duration.as_secs_f64());
    }

    /// A docker process runs for as long as the answer is kept.
    pub fn process(&self) -> OneMore {
        self.started.inc();
        OneMore::of(&self.running)
    }

    /// A command waits for as long as the answer is kept.
    pub fn waits(&self) -> OneMore {
        OneMore::of(&self.waiting)
    }

    /// Docker would have been asked, and whether the answer was known.
    pub fn read(&self, is_known: bool) {
        self.answers.with_label_values(&[if is_known { "hit" } else { "miss" }]).inc();
    }

    /// An answer of so many bytes leaves.
    pub fn answered(&self, bytes: usize) {
        self.sent.inc_by(bytes as u64);
    }

    /// The text that a Prometheus server reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // It fails for metrics without a name alone.
        let _written = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told() {
        let metrics = Metrics::default();
        metrics.called("list-containers", Status::Success, Duration::from_millis(20));
        metrics.called("list-containers", Status::Error, Duration::from_millis(20));
        metrics.answered(100);
        metrics.hidden(2);
        let running = metrics.process();
        let text = metrics.text();
        for line in [
            r#"docker_mcp_operations_total{operation="list-containers",status="error"} 1"#,
            r#"docker_mcp_operation_duration_seconds_bucket{operation="list-containers",le="0.025"} 2"#,
            "# TYPE docker_mcp_operation_duration_seconds histogram",
            "docker_mcp_processes_running 1",
            "docker_mcp_redactions_total 2",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        drop(running);
        assert!(metrics.text().contains("docker_mcp_processes_running 0"));
    }
}
