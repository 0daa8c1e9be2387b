//! The day that is played: who writes what, in two languages. All of it is invented.

/// One message of a customer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) customer: &'static str,
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    /// What an agent answers to it; none means that it waits or is only read.
    pub(super) answer: Option<&'static str>,
    /// Whether the agent then resolves the conversation.
    pub(super) resolve: bool,
}

const fn line(
    customer: &'static str,
    name: &'static str,
    text: &'static str,
    answer: Option<&'static str>,
    resolve: bool,
) -> Line {
    Line { customer, name, text, answer, resolve }
}

/// In the order in which the day goes.
pub(super) const DAY: [Line; 12] = [
    line(
        "maya",
        "Maya Okafor",
        "Good morning, do you open on Saturdays?",
        Some("We do, from nine to one."),
        false,
    ),
    line(
        "lin",
        "林小雨",
        "你好，请问我的包裹什么时候到？",
        Some("您好，包裹预计明天下午送达。"),
        false,
    ),
    line(
        "tom",
        "Tom Brandt",
        "I was charged twice and want a refund.",
        Some("I have sent the second charge back; it takes two days."),
        true,
    ),
    line("maya", "Maya Okafor", "Great, thank you!", None, true),
    line(
        "chen",
        "陈伟",
        "发票抬头写错了，能重新开一张吗？",
        Some("可以，请把正确的抬头发给我们。"),
        false,
    ),
    line(
        "ines",
        "Inês Duarte",
        "The lamp arrived broken. It is urgent, I need it tonight.",
        Some("A new one leaves with the courier at four."),
        false,
    ),
    line("lin", "林小雨", "谢谢，我会等的。", None, true),
    line(
        "sam",
        "Sam Whitfield",
        "Which battery does the small radio take?",
        Some("Two AA cells; none are included."),
        true,
    ),
    line("chen", "陈伟", "抬头是：海蓝贸易有限公司。", Some("新发票已经开好，稍后发给您。"), true),
    line("ines", "Inês Duarte", "It came. You saved my evening.", None, true),
    line(
        "tom",
        "Tom Brandt",
        "The money is back, thanks.",
        Some("Glad to hear it. Have a good day!"),
        true,
    ),
    line("ruth", "Ruth Adeyemi", "Hello? Is anybody there after hours?", None, false),
];
