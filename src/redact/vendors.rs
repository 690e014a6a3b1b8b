//! Prefixes by which vendors mark their secrets. A new one is a new line here.

/// A prefix that only one vendor's secrets have.
pub(super) struct Vendor {
    pub(super) prefix: &'static str,
    /// Which bytes follow it,
    pub(super) body: fn(u8) -> bool,
    /// and how many at least.
    pub(super) min: usize,
}

const fn vendor(prefix: &'static str, body: fn(u8) -> bool, min: usize) -> Vendor {
    Vendor { prefix, body, min }
}

/// Webhook addresses are secrets from here on.
pub(super) const WEBHOOKS: &[&str] = &[
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "hooks.slack.com/triggers/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    "webhook.office.com/webhookb2/",
    "outlook.office.com/webhook/",
    "chat.googleapis.com/v1/spaces/",
    "hooks.zapier.com/hooks/catch/",
];

pub(super) const VENDORS: &[Vendor] = &[
    // Clouds
    vendor("AKIA", upper, 16),
    vendor("ASIA", upper, 16),
    vendor("ABIA", upper, 16),
    vendor("ACCA", upper, 16),
    vendor("AIza", token, 35),
    vendor("ya29.", dotted, 20),
    vendor("GOCSPX-", token, 20),
    vendor("1//0", token, 40),
    vendor("LTAI", alphanumeric, 20),
    vendor("AKID", alphanumeric, 32),
    vendor("dop_v1_", hex, 64),
    vendor("doo_v1_", hex, 64),
    vendor("dor_v1_", hex, 64),
    vendor("tskey-", token, 20),
    vendor("HRKU-", token, 36),
    vendor("pscale_tkn_", dotted, 32),
    vendor("pscale_oauth_", dotted, 32),
    vendor("pscale_pw_", dotted, 32),
    vendor("sbp_", hex, 40),
    vendor("sb_secret_", token, 20),
    vendor("fm2_", base64, 40),
    vendor("fo1_", token, 40),
    vendor("nfp_", alphanumeric, 36),
    vendor("rnd_", alphanumeric, 28),
    vendor("pul-", hex, 40),
    // Code, packages and builds
    vendor("ghp_", alphanumeric, 30),
    vendor("gho_", alphanumeric, 30),
    vendor("ghu_", alphanumeric, 30),
    vendor("ghs_", alphanumeric, 30),
    vendor("ghr_", alphanumeric, 30),
    vendor("github_pat_", token, 22),
    vendor("glpat-", dotted, 20),
    vendor("gldt-", token, 20),
    vendor("glrt-", dotted, 20),
    vendor("glcbt-", dotted, 20),
    vendor("glptt-", token, 40),
    vendor("glft-", token, 20),
    vendor("glimt-", token, 20),
    vendor("glagent-", token, 40),
    vendor("gloas-", token, 40),
    vendor("glsoat-", token, 20),
    vendor("glffct-", token, 20),
    vendor("GR1348941", token, 20),
    vendor("ATATT3", base64, 50),
    vendor("ATCTT3", base64, 50),
    vendor("ATBB", alphanumeric, 32),
    vendor("dckr_pat_", token, 20),
    vendor("dckr_oat_", token, 20),
    vendor("npm_", alphanumeric, 36),
    vendor("pypi-AgE", token, 40),
    vendor("rubygems_", hex, 48),
    vendor("oy2", lower, 43),
    vendor("CLOJARS_", alphanumeric, 60),
    vendor("AKCp", alphanumeric, 69),
    vendor("cmVmd", alphanumeric, 59),
    vendor("CCIPAT_", token, 40),
    vendor("CCIPRJ_", token, 40),
    vendor("bkua_", hex, 40),
    vendor("sqp_", hex, 40),
    vendor("squ_", hex, 40),
    vendor("sqa_", hex, 40),
    vendor("sgp_", token, 40),
    vendor("dapi", hex, 32),
    vendor("pnu_", alphanumeric, 36),
    vendor("PMAK-", token, 40),
    vendor("figd_", token, 38),
    vendor("lin_api_", alphanumeric, 40),
    vendor("lin_oauth_", alphanumeric, 32),
    vendor("ntn_", alphanumeric, 40),
    vendor("shpat_", hex, 32),
    vendor("shpca_", hex, 32),
    vendor("shppa_", hex, 32),
    vendor("shpss_", hex, 32),
    // Secret stores, orchestrators, keys
    vendor("hvs.", token, 20),
    vendor("hvb.", token, 20),
    vendor("hvr.", token, 20),
    vendor("dp.pt.", alphanumeric, 40),
    vendor("dp.st.", dotted, 40),
    vendor("dp.ct.", alphanumeric, 40),
    vendor("dp.sa.", alphanumeric, 40),
    vendor("ops_eyJ", base64, 100),
    vendor("SWMTKN-", token, 40),
    vendor("SWMKEY-", base64, 30),
    vendor("K10", k3s, 66),
    vendor("AGE-SECRET-KEY-1", upper, 40),
    // Hashes of passwords (htpasswd, shadow), in compose with two dollars
    vendor("$apr1$", crypt, 24),
    vendor("$$apr1$$", crypt, 24),
    vendor("$2a$", crypt, 53),
    vendor("$2b$", crypt, 53),
    vendor("$2y$", crypt, 53),
    vendor("$$2a$$", crypt, 53),
    vendor("$$2b$$", crypt, 53),
    vendor("$$2y$$", crypt, 53),
    vendor("$5$", crypt, 44),
    vendor("$6$", crypt, 80),
    vendor("$y$", crypt, 44),
    vendor("$argon2", crypt, 40),
    // Messages and mail
    vendor("xoxa-", token, 10),
    vendor("xoxb-", token, 10),
    vendor("xoxc-", token, 10),
    vendor("xoxd-", base64_or_percent, 10),
    vendor("xoxe-", token, 10),
    vendor("xoxe.xox", dotted, 10),
    vendor("xoxo-", token, 10),
    vendor("xoxp-", token, 10),
    vendor("xoxr-", token, 10),
    vendor("xoxs-", token, 10),
    vendor("xapp-", token, 20),
    vendor("SG.", dotted, 40),
    vendor("xkeysib-", token, 60),
    vendor("xsmtpsib-", token, 60),
    vendor("key-", hex, 32),
    // Payment
    vendor("sk_live_", alphanumeric, 10),
    vendor("sk_test_", alphanumeric, 10),
    vendor("rk_live_", alphanumeric, 10),
    vendor("rk_test_", alphanumeric, 10),
    vendor("whsec_", base64, 24),
    vendor("sq0atp-", token, 20),
    vendor("sq0csp-", token, 40),
    vendor("shippo_live_", hex, 40),
    vendor("EZAK", alphanumeric, 54),
    vendor("FLWSECK-", token, 32),
    // Models
    vendor("sk-ant-", token, 20),
    vendor("sk-proj-", token, 20),
    vendor("sk-svcacct-", token, 20),
    vendor("sk-admin-", token, 20),
    vendor("sk-or-v1-", hex, 40),
    vendor("sk-lf-", token, 30),
    vendor("sk-", alphanumeric, 20),
    vendor("sk_", hex, 40),
    vendor("hf_", alphanumeric, 30),
    vendor("api_org_", alphanumeric, 30),
    vendor("r8_", alphanumeric, 30),
    vendor("gsk_", alphanumeric, 40),
    vendor("xai-", alphanumeric, 60),
    vendor("pplx-", alphanumeric, 40),
    vendor("nvapi-", token, 50),
    vendor("tvly-", token, 20),
    vendor("csk-", alphanumeric, 40),
    vendor("tgp_v1_", token, 30),
    vendor("lsv2_pt_", token, 30),
    vendor("lsv2_sk_", token, 30),
    // Watching
    vendor("NRAK-", upper, 27),
    vendor("NRII-", token, 32),
    vendor("glc_", base64, 32),
    vendor("glsa_", token, 32),
    vendor("sntrys_", base64, 40),
    vendor("sntryu_", hex, 40),
    vendor("dt0c01.", dotted, 60),
    vendor("dt0s16.", dotted, 60),
];

pub(super) const fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

const fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

const fn hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

pub(super) const fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

pub(super) const fn dotted(byte: u8) -> bool {
    token(byte) || byte == b'.'
}

const fn base64(byte: u8) -> bool {
    token(byte) || matches!(byte, b'+' | b'/' | b'=')
}

const fn crypt(byte: u8) -> bool {
    base64(byte) || matches!(byte, b'$' | b'.' | b',')
}

const fn base64_or_percent(byte: u8) -> bool {
    base64(byte) || byte == b'%'
}

const fn k3s(byte: u8) -> bool {
    token(byte) || byte == b':'
}
