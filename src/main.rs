//! The program: settings, log, docker, server; signals and exit status.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use docker_mcp_server::config::{self, Cli, Settings, Subcommands};
use docker_mcp_server::docker::{self, Docker, Runner, Shared, reap};
use docker_mcp_server::hook::shell::Standing;
use docker_mcp_server::hook::{self, Question};
use docker_mcp_server::progress::Progress;
use docker_mcp_server::redact::Redactor;
use docker_mcp_server::server::audit::Audit;
use docker_mcp_server::server::call::{Dispatcher, UnknownTool};
use docker_mcp_server::server::render::{Rendered, Renderer};
use docker_mcp_server::server::{Server, definitions, exporter, serve};
use docker_mcp_server::tools::Context;
use docker_mcp_server::tools::confirm::Confirmations;
use docker_mcp_server::tools::reply::{Answer, Text};
use docker_mcp_server::workspace::Workspace;
use docker_mcp_server::{docs, logging};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Map, Value};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What is still running when all is done may take this long to see that it is over.
const LAST_TASKS: Duration = Duration::from_millis(100);
/// Files and pipes that may be open at once; more are never needed.
const DESCRIPTORS: u64 = 4096;
/// A question that is longer is not read whole.
const QUESTION_MAX: u64 = 16 << 20;

fn main() -> ExitCode {
    match Cli::read().and_then(run) {
        Ok(code) => code,
        Err(error) => {
            let _nobody_listens = writeln!(io::stderr(), "docker-mcp-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    if let Some(Subcommands::Reap { kill }) = &cli.command {
        reap(io::stdin().lock(), kill);
        return Ok(ExitCode::SUCCESS);
    }
    if matches!(cli.command, Some(Subcommands::Hook)) {
        return hook(&cli.settings);
    }
    raise_limit_of_descriptors();
    let redactor = Arc::new(Redactor::new(!cli.settings.no_redact));
    for secret in config::secrets_of_the_environment(&cli.settings.pass_env) {
        redactor.learn_own(&secret);
    }
    logging::start(&cli.settings, Arc::clone(&redactor))?;
    let dispatcher = dispatcher(&cli.settings, &redactor)?;
    // One worker reads and writes while the other one parses.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(async {
        let stop = stop_on_signals()?;
        match cli.command {
            None => {
                let docker = &dispatcher.context().docker;
                docker.may_listen(stop.clone());
                if let Some(address) = cli.settings.metrics_listen {
                    let listener = exporter::open(address).await?;
                    tokio::spawn(exporter::serve(listener, docker.metrics().clone(), stop.clone()));
                }
                serve(Server::new(dispatcher), stop).await.map(|()| ExitCode::SUCCESS)
            }
            Some(Subcommands::Call { tool, arguments }) => {
                call(&dispatcher, &tool, &arguments, stop).await
            }
            Some(Subcommands::Tools { table: true }) => print(&docs::tools_table()),
            Some(Subcommands::Tools { table: false }) => {
                print(&serde_json::to_string_pretty(&definitions(&dispatcher))?)
            }
            Some(Subcommands::Doctor) => doctor(&dispatcher, stop).await,
            Some(Subcommands::Hook | Subcommands::Reap { .. }) => Ok(ExitCode::SUCCESS),
        }
    });
    // Dropping a task kills what it runs; a read of standard input that blocks is not waited for.
    runtime.shutdown_timeout(LAST_TASKS);
    code
}

/// Answers one question of a host, which waits for it before every line: docker is not asked, and
/// nothing is set up, where the line has none of it.
fn hook(settings: &Settings) -> Result<ExitCode> {
    let mut text = String::new();
    io::stdin().take(QUESTION_MAX).read_to_string(&mut text)?;
    let Some(question) = Question::read(&text) else { return Ok(ExitCode::SUCCESS) };
    let own = shell_words::split(&settings.docker).unwrap_or_default().pop().unwrap_or_default();
    let standing = Standing { folder: question.folder(), home: config::home() };
    let (cases, alarms) = hook::sift(question.line(), standing, &own);
    if cases.is_empty() && alarms.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let redactor = Arc::new(Redactor::new(!settings.no_redact));
    let made = hook::Made::of_session(settings.state_folder().as_deref(), question.session());
    let makes = hook::makes(&cases);
    let judged = judged(settings, &redactor, own, cases, alarms, made.clone());
    let answer = judged.unwrap_or_else(|problem| {
        hook::Answer::on_error(settings.hook_on_error, &format!("{problem:#}"))
    });
    let is_denied = answer.as_ref().is_some_and(|answer| answer.decision == hook::Decision::Deny);
    if !is_denied {
        made.remember(&makes);
    }
    let Some(answer) = answer else { return Ok(ExitCode::SUCCESS) };
    let reason = Text { output: String::new(), account: answer.reason };
    let reason = Renderer::new(redactor).render(Ok(Answer::Text(reason))).text;
    print(&hook::Answer { reason, ..answer }.json())
}

fn judged(
    settings: &Settings,
    redactor: &Arc<Redactor>,
    own: String,
    cases: Vec<hook::Case>,
    alarms: Vec<String>,
    made: hook::Made,
) -> Result<Option<hook::Answer>> {
    let context = context(settings, redactor, None)?;
    let context = Context { docker: context.docker.looking().impatient(), ..context };
    let bench = hook::Bench { context, own, variables: config::compose_variables(), made };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let judged = runtime.block_on(async {
        // A panic in it is a problem, and no permission.
        tokio::spawn(async move { hook::judge(&bench, &cases, alarms).await }).await
    });
    runtime.shutdown_background();
    judged?.map_err(|error| anyhow!("{}", error.message))
}

/// Each docker process takes three, and the usual 256 of macOS are soon used up. Where the system
/// does not allow it, commands wait for each other.
fn raise_limit_of_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(DESCRIPTORS, |most| most.min(DESCRIPTORS));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), ..limit };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
}

/// What calls work with. `reaper` ends docker processes that would outlive this one.
fn context(
    settings: &Settings,
    redactor: &Arc<Redactor>,
    reaper: Option<PathBuf>,
) -> Result<Context> {
    let policy = Arc::new(settings.policy()?);
    let runner = Runner::new(docker::Settings { reaper, ..settings.docker()? });
    let shared = Shared::new(runner, settings.retry(), Arc::clone(redactor), Arc::clone(&policy));
    Ok(Context {
        docker: Docker::new(Arc::new(shared)),
        workspace: Arc::new(Workspace {
            state: settings.state_folder(),
            ..Workspace::new(settings.project_folder()?, policy)
        }),
        confirmations: Arc::new(Confirmations::new(settings.confirm)),
    })
}

fn dispatcher(settings: &Settings, redactor: &Arc<Redactor>) -> Result<Dispatcher> {
    let context = context(settings, redactor, settings.docker()?.reaper)?;
    let renderer = Renderer::new(Arc::clone(redactor));
    let dispatcher = Dispatcher::new(context, renderer, &settings.toolsets);
    match &settings.audit_file {
        None => Ok(dispatcher),
        Some(file) => {
            let audit = Audit::open(file, Arc::clone(redactor));
            Ok(dispatcher.audited(audit.with_context(|| file.display().to_string())?))
        }
    }
}

/// A token that the first SIGTERM, SIGINT or SIGHUP cancels. Hosts kill a server half a second
/// after its SIGINT; whoever sends a second signal does not want to wait at all.
fn stop_on_signals() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        token.cancel();
    });
    Ok(stop)
}

async fn call(
    dispatcher: &Dispatcher,
    tool: &str,
    arguments: &str,
    stop: CancellationToken,
) -> Result<ExitCode> {
    let arguments = if arguments == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        text
    } else {
        arguments.to_owned()
    };
    let mut arguments: Map<String, Value> =
        serde_json::from_str(&arguments).context("the arguments are not a JSON object")?;
    let mut answer = call_once(dispatcher, tool, arguments.clone(), &stop).await?;
    if let Some(asked) = answer.asked.take() {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            // The token ends with this process.
            let note = "nothing was done: there is no terminal to ask on, and this plan cannot be confirmed by a second call; in a script `--confirm never` does it without asking";
            writeln!(io::stderr(), "docker-mcp-server: {note}")?;
        } else if agrees(&asked.question, &stop).await? {
            arguments.insert("confirm".to_owned(), asked.token.into());
            answer = call_once(dispatcher, tool, arguments, &stop).await?;
        } else {
            answer = dispatcher.declined(tool, &asked.token);
        }
    }
    print(&answer.text)?;
    Ok(if answer.is_error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn call_once(
    dispatcher: &Dispatcher,
    tool: &str,
    arguments: Map<String, Value>,
    stop: &CancellationToken,
) -> Result<Rendered> {
    let answer = dispatcher.call(tool, arguments, stop.clone(), Progress::default()).await;
    answer.map_err(|UnknownTool(message)| {
        anyhow!("{message}; `docker-mcp-server tools --table` lists them")
    })
}

/// Asks on the terminal. Anything but a clear yes is a no.
async fn agrees(question: &str, stop: &CancellationToken) -> Result<bool> {
    // It is no agent that asks here.
    let question = question.replacen("An agent asks to remove", "This removes", 1);
    write!(io::stderr(), "{question}\nDo it? [y/N] ")?;
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        line = line => line??,
        () = stop.cancelled() => return Ok(false),
    };
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

async fn doctor(dispatcher: &Dispatcher, stop: CancellationToken) -> Result<ExitCode> {
    let report = docker_mcp_server::doctor::examine(&dispatcher.context().docker, stop).await;
    print(&report.to_string())?;
    Ok(if report.healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(text: &str) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    out.write_all(text.trim_end().as_bytes())?;
    out.write_all(b"\n")?;
    Ok(ExitCode::SUCCESS)
}
