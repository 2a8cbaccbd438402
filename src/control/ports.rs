//! Who has the port that we want: for the one message that everybody meets, "address already in use".

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

/// A process that has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// Its program, as the kernel names it.
    pub(super) name: String,
    /// Its number.
    pub(super) pid: u32,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// Who listens where `wanted` would; `None` if that cannot be seen, for want of permission mostly.
#[must_use]
pub(super) fn holder(wanted: SocketAddr) -> Option<Holder> {
    let proc = Path::new("/proc");
    let tables = ["net/tcp", "net/tcp6"].map(|table| fs::read_to_string(proc.join(table)).unwrap_or_default());
    let inode = tables.iter().find_map(|table| listening_inode(table, wanted))?;
    owner(proc, inode)
}

/// The inode of the socket in a table of `/proc/net/tcp` that listens on an address that excludes `wanted`.
fn listening_inode(table: &str, wanted: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let (local, state) = (address(columns.next()?)?, columns.nth(1)?);
        // sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode
        let inode = columns.nth(5)?.parse().ok()?;
        let excludes = local.port() == wanted.port()
            && (local.ip() == wanted.ip() || local.ip().is_unspecified() || wanted.ip().is_unspecified());
        (state == LISTEN && excludes && inode != 0).then_some(inode)
    })
}

const LISTEN: &str = "0A";

/// `0100007F:1F90`: an address as 32-bit words in the machine's byte order, and a port in hexadecimal.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The process under `proc` that has the socket `inode` open.
fn owner(proc: &Path, inode: u64) -> Option<Holder> {
    let wanted = format!("socket:[{inode}]");
    fs::read_dir(proc).ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let mut descriptors = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        let has = descriptors.any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == &*wanted));
        let name = || fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        has.then(|| Holder { name: name().trim().to_owned(), pid })
    })
}

#[cfg(test)]
mod tests {
    use super::{address, holder, listening_inode};
    use std::net::TcpListener;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 4242 1 0 100 0 0 10 0
   1: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000   101        0 4243 1 0 100 0 0 10 0
   2: 00000000:1F92 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 4244 1 0 100 0 0 10 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn only_a_listener_in_the_way_counts() {
        for (wanted, inode, why) in [
            ("127.0.0.1:8080", Some(4242), "the same address"),
            ("0.0.0.0:8080", Some(4242), "all addresses want it too"),
            ("127.0.0.2:8080", None, "another address of the same port"),
            ("127.0.0.1:8081", None, "a connection, no listener"),
            ("127.0.0.1:8082", Some(4244), "someone has it on all addresses"),
        ] {
            assert_eq!(listening_inode(TABLE, wanted.parse().unwrap()), inode, "{wanted}: {why}");
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_words_in_the_machines_order() {
        assert_eq!(address("0100007F:1F90"), Some("127.0.0.1:8080".parse().unwrap()));
        assert_eq!(address("00000000000000000000000001000000:0050"), Some("[::1]:80".parse().unwrap()));
        assert_eq!(address("0100007F"), None);
        assert_eq!(address("01:01"), None);
    }

    #[test]
    fn this_process_is_found_as_the_holder_of_its_own_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = holder(listener.local_addr().unwrap()).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(holder.to_string().ends_with(&format!("(pid {})", holder.pid)), "{holder}");
    }
}
