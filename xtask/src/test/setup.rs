//! What the tests need from outside: a reference server, Python clients, Node clients.
//!
//! Everything but Debian's package goes into `.test/` and `tests/interop/node/node_modules`, caches
//! included. A step that has been done is not done again: a stamp keeps the list that it was done for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Skip;
use crate::process::{find, output, run};

const PYTHON_LIST: &str = "tests/interop/python/requirements.txt";
const OLDER_REDIS_LIST: &str = "tests/interop/python/requirements-redis5.txt";
const NODE_FOLDER: &str = "tests/interop/node";

pub(crate) struct Setup {
    root: PathBuf,
    folder: PathBuf,
}

impl Setup {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), folder: root.join(".test") }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Debian's `redis-server`; installed when it is missing and apt is there.
    pub(crate) fn reference(&self) -> Result<PathBuf, Skip> {
        if let Some(path) = find("redis-server") {
            return Ok(path);
        }
        apt_install("redis-server")?;
        find("redis-server")
            .ok_or_else(|| Skip::Missing("apt installed no redis-server on the path".to_owned()))
    }

    /// The interpreter of the virtual environment with the pinned clients.
    pub(crate) fn python(&self) -> Result<PathBuf, Skip> {
        let venv = self.folder.join("venv");
        let python = venv.join("bin/python");
        let list = self.root.join(PYTHON_LIST);
        self.once("venv", &list, || {
            let system = find("python3").ok_or_else(|| missing("python3"))?;
            let make = || run(Command::new(&system).args(["-m", "venv", "--clear"]).arg(&venv));
            if make().is_err() {
                // Debian keeps the module apart from the interpreter.
                apt_install("python3-venv")?;
                make()?;
            }
            run(self.pip(&python).args(["install", "--quiet", "--requirement"]).arg(&list))?;
            Ok(())
        })?;
        Ok(python)
    }

    /// A folder with redis-py 5.x and those who need it, which shadow the newest when it comes first on
    /// the path.
    pub(crate) fn older_redis_py(&self) -> Result<PathBuf, Skip> {
        let python = self.python()?;
        let (folder, list) = (self.folder.join("redis5"), self.root.join(OLDER_REDIS_LIST));
        self.once("redis5", &list, || {
            let words = ["install", "--quiet", "--no-deps", "--upgrade", "--requirement"];
            run(self.pip(&python).args(words).arg(&list).arg("--target").arg(&folder))?;
            Ok(())
        })?;
        Ok(folder)
    }

    /// The folder of the Node suites, with its packages.
    pub(crate) fn node(&self) -> Result<PathBuf, Skip> {
        let folder = self.root.join(NODE_FOLDER);
        let npm = find("npm").ok_or_else(|| missing("npm"))?;
        self.once("node", &folder.join("package-lock.json"), || {
            let mut command = Command::new(&npm);
            command.args(["ci", "--no-audit", "--no-fund", "--loglevel", "error", "--cache"]);
            run(command.arg(self.folder.join("npm-cache")).current_dir(&folder))?;
            Ok(())
        })?;
        Ok(folder)
    }

    fn pip(&self, python: &Path) -> Command {
        let mut command = Command::new(python);
        command.args(["-m", "pip", "--disable-pip-version-check"]);
        command.env("PIP_CACHE_DIR", self.folder.join("pip-cache"));
        command
    }

    /// Does a step unless it was done for the same list.
    fn once(
        &self,
        name: &str,
        list: &Path,
        step: impl FnOnce() -> Result<(), Skip>,
    ) -> Result<(), Skip> {
        let read = |path: &Path| {
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let wanted = read(list)?;
        let stamp = self.folder.join(format!("{name}.stamp"));
        if read(&stamp).is_ok_and(|done| done == wanted) {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(|error| error.to_string())?;
        step()?;
        fs::write(&stamp, wanted).map_err(|error| error.to_string())?;
        Ok(())
    }
}

fn missing(program: &str) -> Skip {
    Skip::Missing(format!("there is no {program} here"))
}

/// As root, or through a sudo that asks nothing; services that the package starts are held back.
fn apt_install(package: &str) -> Result<(), Skip> {
    let apt =
        find("apt-get").ok_or_else(|| missing(&format!("{package}, nor apt-get to install it")))?;
    let is_root = output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    if !is_root && output(Command::new("sudo").args(["-n", "true"])).is_err() {
        return Err(Skip::Missing(format!("{package} is not installed, and this is not root")));
    }
    let apt_get = |words: &[&str]| {
        let mut command = Command::new(if is_root { "env" } else { "sudo" });
        command.args(if is_root { [].as_slice() } else { ["-n", "env"].as_slice() });
        command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]).arg(&apt);
        run(command.args(words))
    };
    apt_get(&["update", "-qq"])
        .and_then(|()| apt_get(&["install", "-y", "-qq", "--no-install-recommends", package]))
        .map_err(|error| Skip::Missing(format!("{package} cannot be installed: {error}")))
}
