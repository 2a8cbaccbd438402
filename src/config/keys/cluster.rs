//! The tables of a cluster: several gateways that share what they have counted.

use super::{Default, Kind, Table, key, word};

/// The keys of `cluster`.
pub static CLUSTER: Table = Table {
    path: "cluster",
    doc: "Several gateways that share limits, quotas and purges through a Redis or Valkey.",
    keys: &[
        key(
            "redis",
            Kind::OneOrMore(&Kind::Text(
                "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// with TLS, or unix:/path",
            )),
            Default::Required,
            "Where it is; several addresses are nodes of a Redis Cluster, or with `sentinel` its Sentinels.",
        ),
        key(
            "name",
            Kind::Text("1 to 64 letters, digits, `_`, `-` and `.`"),
            Default::Text("ringgate"),
            "What tells this cluster from others in the same Redis: all of its keys begin with ringgate:{NAME}.",
        ),
        key(
            "on_outage",
            Kind::Choice(&[word("local"), word("deny")]),
            Default::Text("local"),
            "While it cannot be reached: each gateway admits its equal share of every limit, or what has a limit is refused.",
        ),
        key(
            "username",
            Kind::Text("a name"),
            Default::Nothing,
            "Whom the gateway logs in as, if not the default user.",
        ),
        key("password", Kind::Text("a password"), Default::Nothing, "The password; better in a file of its own."),
        key("password_file", Kind::File, Default::Nothing, "A file that has it, and nothing else."),
        key(
            "sentinel",
            Kind::Text("the name of a master"),
            Default::Nothing,
            "What the Sentinels at `redis` call the master that is to be used; they are asked without a password.",
        ),
        key("tls", Kind::Table(&CLUSTER_TLS), Default::Nothing, "How its certificate is verified, with rediss://."),
    ],
};

/// The keys of `cluster.tls`.
pub static CLUSTER_TLS: Table = Table {
    path: "cluster.tls",
    doc: "How the certificate of a Redis is verified, and the gateway's own.",
    keys: &[
        key(
            "ca",
            Kind::File,
            Default::Words("what the operating system trusts"),
            "Authorities that may have issued its certificate, PEM.",
        ),
        key("client_certificate", Kind::File, Default::Nothing, "The certificate that the gateway shows, PEM."),
        key("client_key", Kind::File, Default::Nothing, "Its private key, PEM."),
    ],
};
