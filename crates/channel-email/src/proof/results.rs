//! What was found, in the words of `Authentication-Results` (RFC 8601), in lower case.

use mail_auth::dmarc::Policy;
use mail_auth::{DkimOutput, DkimResult, DmarcOutput, DmarcResult, SpfOutput};

/// `spf` comes with the sender in the envelope; none if nobody could be asked about.
pub(super) fn written(
    spf: Option<(&SpfOutput, &str)>,
    dkim: &[DkimOutput<'_>],
    dmarc: &DmarcOutput,
) -> String {
    let half_known = spf.is_none();
    let spf = spf.map(|(output, sender)| {
        // What is known of the greeting alone says nothing of the sender.
        let of_sender = sender.rsplit_once('@').is_some_and(|(_, own)| own == output.domain());
        let property = if of_sender { "smtp.mailfrom" } else { "smtp.helo" };
        let result = output.result().to_string().to_lowercase();
        format!("spf={result} {property}={}", plain(output.domain()))
    });
    let signatures = dkim.iter().map(|output| {
        let domain = output.signature().map(|signature| plain(&signature.d));
        let domain = domain.map(|domain| format!(" header.d={domain}")).unwrap_or_default();
        format!("dkim={}{domain}", word_of_signature(output.result()))
    });
    let unsigned = dkim.is_empty().then(|| "dkim=none".to_owned());
    let all: Vec<String> = spf
        .into_iter()
        .chain(signatures)
        .chain(unsigned)
        .chain([policy(dmarc, half_known)])
        .collect();
    all.join("; ")
}

/// `half_known`: nobody knows who handed the mail in. Then a policy can be seen to be kept, and never to be
/// broken.
fn policy(dmarc: &DmarcOutput, half_known: bool) -> String {
    let result = match dmarc.result() {
        DmarcResult::Pass => "pass",
        DmarcResult::Fail(_) if half_known => "none",
        DmarcResult::Fail(_) => "fail",
        DmarcResult::TempError(_) => "temperror",
        DmarcResult::PermError(_) => "permerror",
        DmarcResult::None => "none",
    };
    if dmarc.dmarc_record().is_none() {
        return format!("dmarc={result}");
    }
    let asks = match dmarc.policy() {
        Policy::Reject => "reject",
        Policy::Quarantine => "quarantine",
        Policy::None | Policy::Unspecified => "none",
    };
    let half = if half_known && result == "none" { ", client unknown" } else { "" };
    format!("dmarc={result} (p={asks}{half}) header.from={}", plain(dmarc.domain()))
}

fn word_of_signature(result: &DkimResult) -> &'static str {
    match result {
        DkimResult::Pass => "pass",
        DkimResult::Neutral(_) => "neutral",
        DkimResult::Fail(_) => "fail",
        DkimResult::PermError(_) => "permerror",
        DkimResult::TempError(_) => "temperror",
        DkimResult::None => "none",
    }
}

/// A name comes from whoever wrote the mail, and must not say more than a name.
fn plain(name: &str) -> String {
    let known = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.to_lowercase().chars().map(|c| if known(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use mail_auth::{DmarcOutput, SpfOutput, SpfResult};

    use super::{plain, written};

    #[test]
    fn name_says_nothing_but_a_name() {
        assert_eq!(plain("Example.com; dmarc=pass (p=x)"), "example.com??dmarc?pass??p?x?");
        let spf = SpfOutput::new("a; dmarc=pass".to_owned()).with_result(SpfResult::None);
        let said = written(Some((&spf, "x@a; dmarc=pass")), &[], &DmarcOutput::default());
        assert_eq!(said, "spf=none smtp.mailfrom=a??dmarc?pass; dkim=none; dmarc=none");
        let said = written(Some((&spf, "")), &[], &DmarcOutput::default());
        assert!(said.starts_with("spf=none smtp.helo="), "{said}");
    }
}
