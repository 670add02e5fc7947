//! How the app starts: FastAPI and Starlette with uvicorn, Flask and Django with gunicorn or else their own server, or a plain program.

use libcnb::data::launch::{Launch, LaunchBuilder, ProcessBuilder};
use libcnb::data::process_type;
use std::fs;
use std::path::{Path, PathBuf};

/// Files that apps start from, the most common first.
const ENTRIES: [&str; 8] = ["main.py", "app.py", "asgi.py", "wsgi.py", "server.py", "api.py", "application.py", "__init__.py"];
const LISTEN: &str = "0.0.0.0";
const PORT: &str = "${PORT:-8080}";

/// What an app is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framework {
    Asgi,
    Flask,
}

/// How to start an app, and what its author should know.
#[derive(Debug, PartialEq, Eq)]
struct Start {
    command: String,
    warning: Option<String>,
}

/// The processes of the app; none where nothing is found to start.
pub fn launch(app: &Path, venv: &Path) -> Launch {
    let mut launch = LaunchBuilder::new();
    match find(app, |program| venv.join("bin").join(program).exists()) {
        Some(start) => {
            if let Some(warning) = start.warning {
                println!("warning: {warning}");
            }
            println!("web: {}", start.command);
            launch.process(
                ProcessBuilder::new(process_type!("web"), ["bash", "-c"]).arg(format!("exec {}", start.command)).default(true).build(),
            );
        }
        None => println!(
            "warning: found no FastAPI, Flask or Django app, no main.py and no app.py; say how to start the app in a Procfile, as `web: python serve.py`"
        ),
    }
    launch.build()
}

fn find(app: &Path, has: impl Fn(&str) -> bool) -> Option<Start> {
    if let Some((module, name, framework)) = app_object(app) {
        return Some(match framework {
            Framework::Asgi if has("uvicorn") => plain(format!("uvicorn {module}:{name} --host {LISTEN} --port {PORT}")),
            Framework::Asgi if has("hypercorn") => plain(format!("hypercorn {module}:{name} --bind {LISTEN}:{PORT}")),
            Framework::Asgi => return program(app).map(|start| warned(start, "the app needs a server: add `uvicorn` to the requirements")),
            Framework::Flask if has("gunicorn") => plain(format!("gunicorn '{module}:{name}' --bind {LISTEN}:{PORT}")),
            Framework::Flask => {
                let own = plain(format!("flask --app '{module}:{}' run --host {LISTEN} --port {PORT}", name.trim_end_matches("()")));
                warned(own, "Flask's own server is not made for production: add `gunicorn` to the requirements")
            }
        });
    }
    if let Some(start) = django(app, &has) {
        return Some(start);
    }
    program(app)
}

fn plain(command: String) -> Start {
    Start { command, warning: None }
}

fn warned(start: Start, warning: &str) -> Start {
    Start { warning: Some(warning.into()), ..start }
}

fn program(app: &Path) -> Option<Start> {
    let name = ["main.py", "app.py"].into_iter().find(|name| app.join(name).is_file())?;
    Some(plain(format!("python {name}")))
}

fn django(app: &Path, has: &impl Fn(&str) -> bool) -> Option<Start> {
    let manage = fs::read_to_string(app.join("manage.py")).ok()?;
    let settings = manage.split(['"', '\'']).find(|text| text.ends_with(".settings"))?;
    let package = settings.trim_end_matches(".settings");
    if has("gunicorn") {
        return Some(plain(format!("gunicorn {package}.wsgi --bind {LISTEN}:{PORT}")));
    }
    let own = plain(format!("python manage.py runserver --noreload {LISTEN}:{PORT}"));
    Some(warned(own, "Django's own server is not made for production: add `gunicorn` to the requirements"))
}

/// Module, name and framework of the first app object: in the folder, then in its packages, then in `src`.
fn app_object(app: &Path) -> Option<(String, String, Framework)> {
    let mut places = vec![(app.to_path_buf(), String::new())];
    places.extend(packages(app));
    places.extend(packages(&app.join("src")).into_iter().map(|(folder, module)| (folder, format!("src.{module}"))));
    for (folder, prefix) in places {
        for entry in ENTRIES {
            let Ok(text) = fs::read_to_string(folder.join(entry)) else { continue };
            if let Some((name, framework)) = object_in(&text) {
                let own = entry.trim_end_matches(".py");
                let parts: Vec<&str> =
                    [prefix.as_str(), if own == "__init__" { "" } else { own }].into_iter().filter(|part| !part.is_empty()).collect();
                if !parts.is_empty() {
                    return Some((parts.join("."), name, framework));
                }
            }
        }
    }
    None
}

fn packages(folder: &Path) -> Vec<(PathBuf, String)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(PathBuf, String)> =
        entries.flatten().filter_map(|entry| Some((entry.path(), entry.file_name().into_string().ok()?))).collect();
    found.retain(|(path, name)| path.is_dir() && !["tests", "test", "docs"].contains(&name.as_str()) && is_name(name));
    found.sort();
    found
}

/// An assignment at the beginning of a line of what makes an app, or a function that makes one.
fn object_in(text: &str) -> Option<(String, Framework)> {
    let asgi = ["FastAPI(", "fastapi.FastAPI(", "Starlette(", "Litestar("];
    for line in text.lines() {
        if let Some((name, value)) = line.split_once('=') {
            let name = name.split(':').next().unwrap_or("").trim_end();
            let value = value.trim_start();
            if line.starts_with(char::is_whitespace) || !is_name(name) {
                continue;
            }
            if asgi.iter().any(|made| value.starts_with(made)) {
                return Some((name.to_string(), Framework::Asgi));
            }
            if value.starts_with("Flask(") || value.starts_with("flask.Flask(") {
                return Some((name.to_string(), Framework::Flask));
            }
        }
    }
    let factory = text.lines().any(|line| line.starts_with("def create_app("));
    (factory && text.contains("Flask(")).then(|| ("create_app()".to_string(), Framework::Flask))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|letter: char| letter.is_ascii_digit())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(files: &[(&str, &str)], programs: &[&str]) -> Option<(String, bool)> {
        let app = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = app.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        find(app.path(), |program| programs.contains(&program)).map(|start| (start.command, start.warning.is_some()))
    }

    #[test]
    fn apps_are_found_where_people_put_them() {
        let fastapi = "from fastapi import FastAPI\napp = FastAPI(title='x')\n";
        let flask = "import flask\nserver: flask.Flask = flask.Flask(__name__)\n";
        let port = "${PORT:-8080}";
        for (files, programs, command, warns) in [
            (&[("main.py", fastapi)][..], &["uvicorn"][..], format!("uvicorn main:app --host 0.0.0.0 --port {port}"), false),
            (&[("shop/api.py", fastapi)], &["uvicorn"], format!("uvicorn shop.api:app --host 0.0.0.0 --port {port}"), false),
            (&[("src/shop/__init__.py", fastapi)], &["uvicorn"], format!("uvicorn src.shop:app --host 0.0.0.0 --port {port}"), false),
            (&[("main.py", fastapi)], &[], "python main.py".into(), true),
            (&[("app.py", flask)], &["gunicorn"], format!("gunicorn 'app:server' --bind 0.0.0.0:{port}"), false),
            (
                &[("app.py", "def create_app():\n    return Flask(__name__)\n")],
                &["gunicorn"],
                format!("gunicorn 'app:create_app()' --bind 0.0.0.0:{port}"),
                false,
            ),
            (&[("app.py", flask)], &[], format!("flask --app 'app:server' run --host 0.0.0.0 --port {port}"), true),
            (
                &[("manage.py", "os.environ.setdefault(\"X\", 'shop.settings')")],
                &["gunicorn"],
                format!("gunicorn shop.wsgi --bind 0.0.0.0:{port}"),
                false,
            ),
            (&[("main.py", "print(1)")], &[], "python main.py".into(), false),
            (&[("tests/main.py", fastapi), ("app.py", "def f():\n    app = FastAPI()\n")], &["uvicorn"], "python app.py".into(), false),
        ] {
            assert_eq!(start(files, programs), Some((command, warns)), "{files:?}");
        }
        assert_eq!(start(&[("readme.md", "")], &[]), None);
    }
}
