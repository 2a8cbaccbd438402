//! nginx as an upstream, with a configuration of the test's.

use super::tools::{Folder, find_program, free_port, wait_for};
use std::{
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A running nginx; killed when dropped. Its files are in `folder`, served from `folder/www`.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) port: u16,
    pub(crate) folder: Folder,
}

impl Nginx {
    /// Starts nginx with one server that has these directives in addition to `root`.
    pub(crate) fn start(directives: &str) -> Self {
        Self::on(free_port(), directives)
    }

    /// The same with TLS, whose certificate the directives name.
    pub(crate) fn speaking_tls(directives: &str) -> Self {
        Self::listening(free_port(), " ssl", directives)
    }

    /// The same on a given port.
    pub(crate) fn on(port: u16, directives: &str) -> Self {
        Self::listening(port, "", directives)
    }

    fn listening(port: u16, how: &str, directives: &str) -> Self {
        let folder = Folder::new("nginx");
        let www = folder.path().join("www");
        std::fs::create_dir_all(&www).unwrap();
        let place = folder.path().display();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {place}/nginx.pid;\nerror_log {place}/error.log warn;\n\
             worker_rlimit_nofile 8192;\nevents {{ worker_connections 4096; }}\n\
             http {{\n access_log off;\n client_body_temp_path {place}/body;\n proxy_temp_path {place}/proxy;\n\
             fastcgi_temp_path {place}/fastcgi;\n uwsgi_temp_path {place}/uwsgi;\n scgi_temp_path {place}/scgi;\n\
             keepalive_requests 1000000;\n keepalive_timeout 65;\n client_max_body_size 0;\n\
             server {{\n listen 127.0.0.1:{port}{how} backlog=4096;\n root {place}/www;\n{directives}\n }}\n}}\n"
        );
        let path = folder.write("nginx.conf", config);
        let program = find_program("nginx").expect("nginx is installed");
        let mut child = Command::new(program)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("nginx to listen", Duration::from_secs(10), || {
            assert!(child.try_wait().unwrap().is_none(), "nginx stopped; see {place}/error.log");
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self { child, port, folder }
    }

    /// Puts a file where it is served.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join("www").join(name), content).unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}
