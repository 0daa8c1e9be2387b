// The inbox in the browser: lists, one conversation, replies, all of it live.
// What customers wrote only ever becomes text (textContent), never markup.
"use strict";

const WORDS = {
  en: {
    views: "Views", mine: "Mine", unassigned: "Unassigned", all: "All", snoozed: "Snoozed", resolved: "Resolved",
    status: "Status", online: "Online", away: "Away", away_and_reassign: "Away, give back", offline: "Offline",
    not_responding: "Not responding", offers: "Offers", accept: "Accept", decline: "Decline",
    wrap_up: "finishing up until", ramp_in: "next portion at",
    signOut: "Sign out", search: "Search subjects", more: "More", conversations: "Conversations",
    conversation: "Conversation", timeline: "Timeline", pick: "Pick a conversation from the list.",
    back: "Back", claim: "Claim", release: "Release", resolve: "Resolve", reopen: "Reopen",
    reply: "Reply", replyHint: "Write a reply. Ctrl+Enter sends it.", asNote: "Note for colleagues only",
    send: "Send", resend: "Send again", empty: "Nothing here.", noSubject: "(no subject)", nobody: "unassigned",
    noWords: "(no text)", note: "note", open: "open", pending: "pending",
    queued: "Queued", sending: "Sending", waiting: "Will be tried again", sent: "Sent", delivered: "Delivered",
    read: "Read", failed: "Not sent", uncertain: "May or may not have been sent",
    reconnecting: "Reconnecting…", lost: "The live connection ended. Reload the page.",
    changed: "A message came in meanwhile. Read it, then send again.",
    taken: "Not decided yet. It will show up here.", offlineNow: "No answer from the server. Try again.",
    signedOutTitle: "You are not signed in", signedOutText: "Open the one-time sign-in link that you were given. Programs use a token:",
    signedOutFirst: "On its first start, Postroom prints a sign-in link for the first admin.",
    "conversation.opened": "Conversation opened", "conversation.reopened": "Opened again",
    "conversation.woken": "Back from snooze", "conversation.assigned": "Assigned", "conversation.released": "Given back",
    "conversation.transferred": "Moved to another queue", "conversation.snoozed": "Snoozed",
    "conversation.resolved": "Resolved", "conversation.tagged": "Tags changed",
    "conversation.prioritised": "Priority changed", "ladder.climbed": "Waited for long", "conversation.kept": "Waits for the last agent", "conversation.joined": "Another conversation goes on here",
    "conversation.unkept": "For everybody again", "target.warned": "Due soon",
    "target.breached": "Not in time", "due": "due", "late": "late", "paused": "paused",
    first_response: "first answer", next_response: "next answer", resolution: "solution",
    "conversation.merged": "Merged",
    "conversation.absorbed": "Another conversation was merged in",
    "offer.made": "Offered", "offer.extended": "Offered to others as well", "offer.closed": "Offer over",
    "Missed call from": "Missed call from", "Voicemail from": "Voicemail from", "Call from": "Call from", "Call to": "Call to",
    "call.in": "Call from", "call.out": "Call to", "call.no_answer": "not answered", "call.busy": "busy",
    calls: "Calls", ringing: "Ringing", talking: "On the phone", withheld: "a withheld number", firstCall: "Nothing known yet",
    called: "Called back", notReached: "Not reached", recording: "Recording", show: "Show", dismiss: "Hide",
    "call.answered": "answered", "call.voicemail": "voicemail", "call.cancelled": "hung up", "call.failed": "failed",
  },
  zh: {
    views: "视图", mine: "我的", unassigned: "未分配", all: "全部", snoozed: "已暂缓", resolved: "已解决",
    status: "状态", online: "在线", away: "离开", away_and_reassign: "离开并交还", offline: "离线",
    not_responding: "未响应", offers: "待接受", accept: "接受", decline: "拒绝",
    wrap_up: "收尾至", ramp_in: "下一批于",
    signOut: "退出", search: "搜索主题", more: "更多", conversations: "会话列表",
    conversation: "会话", timeline: "时间线", pick: "请从列表中选择一个会话。",
    back: "返回", claim: "认领", release: "交还", resolve: "解决", reopen: "重新打开",
    reply: "回复", replyHint: "输入回复，按 Ctrl+Enter 发送。", asNote: "仅同事可见的备注",
    send: "发送", resend: "重新发送", empty: "这里没有内容。", noSubject: "（无主题）", nobody: "未分配",
    noWords: "（无文字）", note: "备注", open: "待处理", pending: "等待客户",
    queued: "排队中", sending: "发送中", waiting: "稍后重试", sent: "已发送", delivered: "已送达",
    read: "已读", failed: "发送失败", uncertain: "不确定是否已发送",
    reconnecting: "正在重新连接…", lost: "实时连接已结束，请刷新页面。",
    changed: "期间收到了新消息，请阅读后再发送。",
    taken: "尚未处理完，稍后会显示在这里。", offlineNow: "服务器没有响应，请重试。",
    signedOutTitle: "您尚未登录", signedOutText: "请打开您收到的一次性登录链接。程序请使用令牌：",
    signedOutFirst: "Postroom 首次启动时会为第一位管理员打印登录链接。",
    "conversation.opened": "会话已建立", "conversation.reopened": "重新打开",
    "conversation.woken": "暂缓结束", "conversation.assigned": "已分配", "conversation.released": "已交还",
    "conversation.transferred": "已转到其他队列", "conversation.snoozed": "已暂缓",
    "conversation.resolved": "已解决", "conversation.tagged": "标签已更改",
    "conversation.prioritised": "优先级已更改", "ladder.climbed": "等待过久", "conversation.kept": "等待上一位客服", "conversation.joined": "另一会话在此继续",
    "conversation.unkept": "重新对所有人开放", "target.warned": "即将到期",
    "target.breached": "未按时完成", "due": "到期", "late": "已逾期", "paused": "已暂停",
    first_response: "首次回复", next_response: "下次回复", resolution: "解决",
    "conversation.merged": "已合并",
    "conversation.absorbed": "合并了另一个会话",
    "offer.made": "已邀请接受", "offer.extended": "已另邀他人", "offer.closed": "邀请结束",
    "Missed call from": "未接来电", "Voicemail from": "语音留言", "Call from": "来电", "Call to": "去电",
    "call.in": "来电", "call.out": "去电", "call.no_answer": "未接", "call.busy": "占线",
    calls: "通话", ringing: "来电响铃", talking: "通话中", withheld: "号码未显示", firstCall: "暂无记录",
    called: "已回电", notReached: "未接通", recording: "录音", show: "查看", dismiss: "隐藏",
    "call.answered": "已接听", "call.voicemail": "语音留言", "call.cancelled": "对方挂断", "call.failed": "呼叫失败",
  },
};
const language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const say = (key) => WORDS[language][key] ?? key;
const at = (id) => document.getElementById(id);
const VIEWS = ["mine", "unassigned", "all", "snoozed", "resolved"];
const STATUSES = ["online", "away", "away_and_reassign", "offline"];
const SHOWN = Object.keys(WORDS.en).filter((key) => /^(conversation|offer|target|ladder)\./.test(key));
const ABOUT_ME = ["agent.status_changed", "agent.paused", "agent.ready"];
const SENDING = ["delivery.attempted", "delivery.settled", "delivery.requeued", "receipt.recorded"];
const KINDS = [...SHOWN, ...SENDING, "targets.changed", "message.received", "call.recorded", "note.added", "reply.queued", ...ABOUT_ME];
const PAGE = 50;

let me = null;
let view = "mine";
let list = { items: [], next: null };
let current = null; // {id, conversation, items, shown}: shown is the version that the agent has seen
let offers = []; // what the agent is asked to take, each with its conversation
let draftKey = null; // Idempotency-Key of the reply that is being sent, kept until it has an answer

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code;
  }
}

async function call(method, path, body, key) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET") headers["idempotency-key"] = key ?? newKey();
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  const json = text ? JSON.parse(text) : null;
  if (response.status === 401) showSignedOut();
  if (!response.ok) throw new Problem(response.status, json);
  return { status: response.status, json };
}

let messageTimer = 0;
function tell(text) {
  const message = at("message");
  message.textContent = text;
  message.hidden = false;
  clearTimeout(messageTimer);
  messageTimer = setTimeout(() => { message.hidden = true; }, 8000);
}

const tellOf = (error) => tell(error instanceof Problem ? error.message : say("offlineNow"));

function showSignedOut() {
  at("inbox").hidden = true;
  at("signed-out").hidden = false;
}

const time = (text) => new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : navigator.language, { dateStyle: "short", timeStyle: "short" }).format(new Date(text));

// The list -----------------------------------------------------------------------------------------

const CALL_SUBJECTS = ["Missed call from", "Voicemail from", "Call from", "Call to"];

let listAsked = 0;
async function loadList(more) {
  const asked = ++listAsked;
  const query = new URLSearchParams({ view, limit: PAGE });
  const search = at("search").value.trim();
  if (search) query.set("q", search);
  if (more && list.next) query.set("cursor", list.next);
  const page = (await call("GET", `/v1/conversations?${query}`)).json;
  if (asked !== listAsked) return; // a newer question was asked meanwhile
  list = { items: more ? list.items.concat(page.items) : page.items, next: page.next_cursor };
  drawList();
}

// What an agent knows a conversation by: who writes, and about what.
function titleOf(conversation) {
  const customer = conversation.customer ?? {};
  const name = customer.name ?? customer.username ?? customer.address;
  return [name, subjectOf(conversation)].filter(Boolean).join(": ") || say("noSubject");
}

// A conversation that a call opened is named in English; everything else is in the customer's words.
function subjectOf({ subject, thread }) {
  if (!subject || (thread && !thread.startsWith("tel:"))) return subject;
  const words = CALL_SUBJECTS.find((known) => subject.startsWith(`${known} `));
  if (!words) return subject;
  const who = subject.slice(words.length + 1);
  return `${say(words)} ${who === "a withheld number" ? say("withheld") : who}`;
}

// The promise that is due next, and whether it was missed; nothing where nothing is owed.
function promiseOf(conversation) {
  const owed = (conversation.targets ?? []).filter((target) => ["running", "warned", "breached", "paused"].includes(target.state) && !target.met_at);
  const first = owed.filter((target) => target.state !== "paused").sort((a, b) => a.due_at.localeCompare(b.due_at))[0] ?? owed[0];
  if (!first) return null;
  const when = first.state === "paused" ? say("paused") : `${say(first.state === "breached" ? "late" : "due")} ${time(first.due_at)}`;
  return { state: first.state, words: `${say(first.kind)} ${when}` };
}

function drawPromise(conversation) {
  const promise = promiseOf(conversation);
  return promise ? [element("span", `promise ${promise.state}`, promise.words)] : [];
}

function drawList() {
  const focused = document.activeElement?.dataset?.id;
  const entries = list.items.map((conversation) => {
    const button = element("button");
    button.type = "button";
    button.dataset.id = conversation.id;
    if (conversation.id === current?.id) button.setAttribute("aria-current", "true");
    const owner = conversation.assignee ?? say("nobody");
    button.append(
      element("span", "title", titleOf(conversation)),
      element("span", "facts", [conversation.queue, say(conversation.status), owner, time(conversation.last_message_at)].filter(Boolean).join(" · ")),
      ...drawPromise(conversation),
    );
    button.addEventListener("click", () => open(conversation.id).catch(tellOf));
    const entry = element("li");
    entry.append(button);
    return entry;
  });
  at("list").replaceChildren(...(entries.length ? entries : [element("li", "empty", say("empty"))]));
  at("more").hidden = !list.next;
  if (focused) at("list").querySelector(`button[data-id="${CSS.escape(focused)}"]`)?.focus();
}

function drawViews() {
  at("views").replaceChildren(...VIEWS.map((name) => {
    const button = element("button", "", say(name));
    button.type = "button";
    button.setAttribute("aria-pressed", String(name === view));
    button.addEventListener("click", () => {
      view = name;
      drawViews();
      loadList(false).catch(tellOf);
    });
    return button;
  }));
}

// One conversation ----------------------------------------------------------------------------------

async function open(id) {
  current = { id, conversation: null, items: [], shown: 0 };
  draftKey = null;
  at("text").value = "";
  await refresh();
  at("subject").focus();
}

// Conversation first, timeline second: the version never claims more than was shown.
async function refresh() {
  const wanted = current;
  if (!wanted) return;
  const conversation = (await call("GET", `/v1/conversations/${wanted.id}`)).json;
  const items = [];
  let cursor = null;
  do {
    const query = cursor ? `&cursor=${cursor}` : "";
    const page = (await call("GET", `/v1/conversations/${wanted.id}/timeline?limit=200${query}`)).json;
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  if (current !== wanted) return;
  Object.assign(wanted, { conversation, items, shown: conversation.version });
  drawConversation();
}

function drawConversation() {
  const { conversation, items } = current;
  at("nothing").hidden = true;
  at("open").hidden = false;
  document.querySelector("main").classList.add("reading");
  at("subject").textContent = titleOf(conversation);
  at("facts").textContent = [conversation.channel, conversation.queue, say(conversation.status), conversation.assignee ?? say("nobody"), ...conversation.tags].filter(Boolean).join(" · ");
  at("facts").append(" ", ...drawPromise(conversation));
  const mine = me.agent && conversation.assignee === me.agent.id;
  const done = conversation.status === "resolved";
  at("claim").hidden = !me.agent || Boolean(conversation.assignee) || done;
  at("release").hidden = !mine || done;
  at("resolve").hidden = done;
  const telephone = conversation.customer?.address?.startsWith("tel:") && !done;
  at("called").hidden = at("not-reached").hidden = !telephone;
  at("reopen").hidden = !done && conversation.status !== "snoozed";
  const timeline = at("timeline");
  const atEnd = timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < 80;
  timeline.replaceChildren(...items.map(drawItem).filter(Boolean));
  if (atEnd || timeline.dataset.of !== current.id) timeline.scrollTop = timeline.scrollHeight;
  timeline.dataset.of = current.id;
  for (const button of at("list").querySelectorAll("button")) {
    if (button.dataset.id === current.id) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

function drawItem(item) {
  if (item.message) return drawMessage(item);
  if (item.call) return drawCall(item);
  if (item.type === "note.added") {
    const entry = element("li", "note");
    entry.append(headLine(`${item.by?.name ?? ""} · ${say("note")}`, item.at), element("p", "words", item.text ?? ""));
    return entry;
  }
  if (!SHOWN.includes(item.type)) return null;
  const details = item.details ?? {};
  const what = [say(item.type), details.agent ?? details.queue, item.by?.name, time(item.at)];
  return element("li", "happened", what.filter(Boolean).join(" · "));
}

function drawCall(item) {
  const { call } = item;
  const out = call.direction === "out";
  const who = out ? call.to_name ?? call.to : call.from_name ?? call.from;
  const talked = call.talk_s ? `${Math.floor(call.talk_s / 60)}:${String(call.talk_s % 60).padStart(2, "0")}` : null;
  const entry = element("li", out ? "ours" : "theirs");
  entry.append(headLine(`${say(out ? "call.out" : "call.in")} ${who ?? "?"}`, call.started_at ?? item.at));
  const words = [call.disposition && say(`call.${call.disposition}`), talked, ...(call.agents ?? [])];
  entry.append(element("p", "words", words.filter(Boolean).join(" · ")));
  if (call.recording_url && call.state === "ended") {
    const path = `/v1/conversations/${item.conversation ?? current.id}/recordings/${item.position}`;
    entry.append(button("recording", (event) => save(event.currentTarget, path).catch(tellOf)));
  }
  return entry;
}

// Fetching may take a while, and its failure is for the agent to see.
async function save(from, path) {
  from.disabled = true;
  try {
    const response = await fetch(path, { headers: { accept: "*/*" } });
    if (!response.ok) throw new Problem(response.status, await response.json().catch(() => null));
    const link = element("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = "recording";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  } finally {
    from.disabled = false;
  }
}

function headLine(who, when) {
  const line = element("div", "who");
  line.append(element("span", "", who), element("span", "", time(when)));
  return line;
}

function drawMessage(item) {
  const { message } = item;
  const ours = item.type === "reply.queued";
  const entry = element("li", ours ? "ours" : "theirs");
  const from = message.from ?? {};
  const who = ours ? item.by?.name : from.name ?? from.username ?? from.address;
  entry.append(headLine(who ?? "", item.at));
  entry.append(element("p", "words", message.visible_text ?? message.text ?? say("noWords")));
  if (message.attachments?.length) entry.append(drawFiles(message.attachments));
  if (item.delivery) entry.append(drawDelivery(item));
  return entry;
}

function drawFiles(attachments) {
  const files = element("ul", "files");
  for (const attachment of attachments) {
    const name = attachment.name ?? attachment.media_type ?? "?";
    const entry = element("li");
    // Only our own downloads become links; what customers name elsewhere stays text.
    if (attachment.url?.startsWith("/v1/attachments/")) {
      const link = element("a", "", name);
      link.href = attachment.url;
      link.download = "";
      entry.append(link);
    } else {
      entry.textContent = [name, attachment.url].filter(Boolean).join(" ");
    }
    files.append(entry);
  }
  return files;
}

function drawDelivery(item) {
  const { state, detail } = item.delivery;
  const good = ["sent", "delivered", "read"].includes(state);
  const bad = ["failed", "uncertain"].includes(state);
  const line = element("div", `state ${good ? "good" : bad ? "bad" : "wait"}`);
  line.append(element("span", "", [say(state), bad || state === "waiting" ? detail : null].filter(Boolean).join(": ")));
  if (bad && item.id) {
    const again = element("button", "", say("resend"));
    again.type = "button";
    again.addEventListener("click", () => act(again, "POST", `replies/${item.id}/resend`));
    line.append(again);
  }
  return line;
}

// Offers --------------------------------------------------------------------------------------------

async function loadOffers() {
  if (!me?.agent) return;
  const { items } = (await call("GET", "/v1/offers")).json;
  const known = new Map(offers.map((offer) => [offer.id, offer]));
  offers = await Promise.all(items.map(async (offer) => {
    const about = known.get(offer.id)?.about ?? (await call("GET", `/v1/conversations/${offer.conversation}`)).json;
    return { ...offer, about };
  }));
  drawOffers();
}

function drawOffers() {
  at("offers").hidden = !offers.length;
  at("offer-list").replaceChildren(...offers.map((offer) => {
    const entry = element("li", "offer");
    const left = element("span", "left");
    left.dataset.until = offer.expires_at;
    const buttons = ["accept", "decline"].map((name) => {
      const button = element("button", name, say(name));
      button.type = "button";
      button.addEventListener("click", () => answer(button, offer, name));
      return button;
    });
    entry.append(element("span", "title", titleOf(offer.about)), element("span", "facts", offer.queue), left, ...buttons);
    return entry;
  }));
  countDown();
}

// Seconds until each offer ends; what became of it comes as an event.
function countDown() {
  for (const left of at("offer-list").querySelectorAll("[data-until]")) {
    const seconds = Math.max(0, Math.ceil((new Date(left.dataset.until) - Date.now()) / 1000));
    left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}

async function answer(button, offer, name) {
  button.disabled = true;
  try {
    const taken = await call("POST", `/v1/offers/${offer.id}/${name}`);
    if (taken.json?.state === "pending") tell(say("taken"));
    else if (name === "accept") await open(offer.conversation);
  } catch (error) {
    tellOf(error);
  }
  await Promise.all([loadOffers(), loadList(false)]).catch(() => {});
}

// Calls that ring or go on -----------------------------------------------------------------------------

const LIVE_CALLS_MAX = 20;
const LIVE_CALL_MS = 4 * 3600 * 1000;
const HEARD_MAX = 500;
const calls = new Map(); // by id: {call, contact, talks, since}; what is hidden stays in it
const heard = new Map(); // by id: the position of what was told last, since a list may be older than the stream

// What the event stream tells of a call. The offer on the telephone is the telephone system's own.
async function hear(item) {
  const { call } = item;
  const id = item.id ?? call.call_id;
  if (item.position <= (heard.get(id) ?? 0)) return;
  heard.delete(id);
  heard.set(id, item.position);
  while (heard.size > HEARD_MAX) heard.delete(heard.keys().next().value);
  if (call.state === "ended" || call.direction === "internal") {
    if (calls.delete(id)) drawCalls();
    return;
  }
  const known = calls.get(id);
  const entry = Object.assign(known ?? { contact: null, talks: [], since: Date.parse(item.at), hidden: false }, { call });
  calls.set(id, entry);
  while (calls.size > LIVE_CALLS_MAX) calls.delete(calls.keys().next().value);
  drawCalls();
  if (known || !item.details?.contact) return;
  const who = call.direction === "out" ? call.to ?? call.dialled : call.from;
  const past = (view) => callApi(`/v1/conversations?${new URLSearchParams({ view, q: who ?? "", limit: 3 })}`);
  const [contact, waiting, done] = await Promise.all([
    callApi(`/v1/contacts/${item.details.contact}`), past("all"), past("resolved"),
  ]);
  const talks = [...(waiting?.items ?? []), ...(done?.items ?? [])];
  Object.assign(entry, { contact, talks: talks.filter((talk) => talk.contact === item.details.contact).slice(0, 3) });
  drawCalls();
}

// Those that go on while the page is loaded, or while the stream was away.
async function loadCalls() {
  const asked = new Map(heard);
  const { items } = (await call("GET", `/v1/calls?${new URLSearchParams({ state: "live", limit: LIVE_CALLS_MAX })}`)).json;
  const listed = new Set(items.map((item) => item.id));
  // What was told meanwhile is newer than the list.
  for (const id of calls.keys()) if (!listed.has(id) && asked.get(id) === heard.get(id)) calls.delete(id);
  drawCalls();
  await Promise.all(items.reverse().map(hear));
}

// A card without what could not be had is better than none.
const callApi = (path) => call("GET", path).then((answer) => answer.json, () => null);

function drawCalls() {
  for (const [id, entry] of calls) if (Date.now() - entry.since > LIVE_CALL_MS) calls.delete(id);
  const shown = Array.from(calls.values()).filter((entry) => !entry.hidden);
  at("phone").hidden = shown.length === 0;
  at("phone").replaceChildren(...shown.map(drawCard));
}

// The customer's card: who it is, by which addresses, and what is open with them.
function drawCard(entry) {
  const { call, contact, talks } = entry;
  const out = call.direction === "out";
  const number = (out ? call.to ?? call.dialled : call.from) ?? say("withheld");
  const name = contact?.name ?? (out ? call.to_name : call.from_name);
  const card = element("li", call.state);
  const person = element("div", "person");
  const state = say(call.state === "ringing" ? "ringing" : "talking");
  const addresses = (contact?.addresses ?? []).map((address) => address.replace(/^[a-z]+:/, "")).filter((one) => one !== number);
  person.append(
    element("div", "title", [state, name ? `${name} (${number})` : number].join(": ")),
    element("div", "facts", [...addresses, ...(call.agents ?? []), call.queue].filter(Boolean).join(" · ")),
    element("div", "facts", talks[0] ? talks.map((talk) => [titleOf(talk), say(talk.status)].join(" · ")).join(" | ") : say("firstCall")),
  );
  card.append(person);
  if (talks[0]) card.append(button("show", () => open(talks[0].id).catch(tellOf)));
  card.append(button("dismiss", () => { entry.hidden = true; drawCalls(); }));
  return card;
}

function button(name, act) {
  const made = element("button", "", say(name));
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

// Changes -------------------------------------------------------------------------------------------

async function act(button, method, path, body) {
  button.disabled = true;
  try {
    const answer = await call(method, `/v1/conversations/${current.id}/${path}`, body);
    if (answer.json?.state === "pending") tell(say("taken"));
    await Promise.all([refresh(), loadList(false)]);
  } catch (error) {
    tellOf(error);
    await refresh().catch(() => {});
  } finally {
    button.disabled = false;
  }
}

async function send(event) {
  event.preventDefault();
  const text = at("text").value;
  const target = current;
  if (!target || !text.trim() || at("send").disabled) return;
  const note = at("note").checked;
  at("send").disabled = true;
  draftKey ??= newKey();
  try {
    const body = note ? { text } : { text, if_version: target.shown };
    const answer = await call("POST", `/v1/conversations/${target.id}/${note ? "notes" : "replies"}`, body, draftKey);
    draftKey = null;
    if (answer.json?.state === "pending") tell(say("taken"));
    if (current === target) at("text").value = "";
    await refresh();
  } catch (error) {
    // Without an answer the same key is sent again, so that nothing is said twice.
    if (error instanceof Problem && error.status < 500 && error.status !== 429) draftKey = null;
    if (error.code === "conversation_changed") {
      tell(say("changed"));
      await refresh().catch(() => {});
    } else {
      tellOf(error);
    }
  } finally {
    at("send").disabled = false;
  }
}

// Live ----------------------------------------------------------------------------------------------

function soon(work, wait) {
  let timer = 0;
  let again = false;
  let running = false;
  const run = async () => {
    timer = 0;
    if (running) { again = true; return; }
    running = true;
    try { await work(); } catch { /* the next event or the next look brings it */ }
    running = false;
    if (again) { again = false; start(); }
  };
  const start = () => { timer ||= setTimeout(run, wait); };
  return start;
}
const listSoon = soon(() => loadList(false), 80);
const currentSoon = soon(() => refresh(), 20);
const meSoon = soon(() => loadMe(), 20);
const offersSoon = soon(() => loadOffers(), 20);
const callsSoon = soon(() => loadCalls(), 20);

function live() {
  const events = new EventSource("/v1/events");
  events.addEventListener("open", () => {
    at("live").textContent = "";
    listSoon();
    currentSoon();
    offersSoon();
    callsSoon();
    meSoon();
  });
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) {
      at("live").textContent = say("lost");
      call("GET", "/v1/me").catch(() => {});
    } else {
      at("live").textContent = say("reconnecting");
    }
  });
  for (const kind of KINDS) {
    events.addEventListener(kind, (event) => {
      if (ABOUT_ME.includes(kind)) { meSoon(); offersSoon(); return; }
      if (kind.startsWith("offer.")) offersSoon();
      const item = JSON.parse(event.data);
      if (kind === "call.recorded") hear(item).catch(() => {});
      if (!SENDING.includes(kind)) listSoon();
      const shown = current && (item.conversation === current.id || current.conversation?.merged_from?.includes(item.conversation));
      if (shown) currentSoon();
    });
  }
  // What moved out of one's own reach is not told on the stream.
  setInterval(listSoon, 30000);
  setInterval(countDown, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) listSoon(); });
}

// The start -----------------------------------------------------------------------------------------

async function loadMe() {
  me = (await call("GET", "/v1/me")).json;
  at("who").textContent = me.agent?.name ?? me.name;
  at("status-label").hidden = !me.agent;
  if (!me.agent) return;
  drawStatuses();
  const { pause } = me.agent;
  at("pause").textContent = pause ? `${say(pause.cause)} ${time(pause.until)}` : "";
}

// The statuses that there always are, and the team's own words for them.
function drawStatuses() {
  const option = (value, words) => {
    const made = element("option", "", words);
    made.value = value;
    return made;
  };
  const found = me.agent.status === "not_responding" ? [option("not_responding", say("not_responding"))] : [];
  const own = me.statuses.map((status) => option(status.id, status.name));
  at("status").replaceChildren(...found, ...STATUSES.map((name) => option(name, say(name))), ...own);
  at("status").value = me.agent.reason ?? me.agent.status;
}

function fillWords() {
  document.documentElement.lang = language;
  for (const found of document.querySelectorAll("[data-text]")) found.textContent = say(found.dataset.text);
  for (const found of document.querySelectorAll("[data-label]")) found.setAttribute("aria-label", say(found.dataset.label));
  for (const found of document.querySelectorAll("[data-placeholder]")) found.placeholder = say(found.dataset.placeholder);
}

function listen() {
  for (const name of ["claim", "release", "resolve", "reopen"]) {
    at(name).addEventListener("click", (event) => act(event.currentTarget, "POST", name));
  }
  for (const [name, disposition] of [["called", "answered"], ["not-reached", "no_answer"]]) {
    at(name).addEventListener("click", (event) => act(event.currentTarget, "POST", "calls", { disposition }));
  }
  at("reply").addEventListener("submit", send);
  at("note").addEventListener("change", () => at("reply").classList.toggle("noting", at("note").checked));
  at("text").addEventListener("input", () => { draftKey = null; });
  at("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("reply").requestSubmit();
  });
  at("status").addEventListener("change", async (event) => {
    try {
      await call("PUT", "/v1/me/status", { status: event.target.value });
    } catch (error) {
      tellOf(error);
    }
    meSoon();
    listSoon();
    offersSoon();
  });
  at("sign-out").addEventListener("click", () => call("POST", "/v1/sign-out").then(showSignedOut, tellOf));
  at("more").addEventListener("click", () => loadList(true).catch(tellOf));
  at("search").addEventListener("input", listSoon);
  at("back").addEventListener("click", back);
  at("list").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const buttons = Array.from(at("list").querySelectorAll("button"));
    const next = buttons[buttons.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) { event.preventDefault(); next.focus(); }
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") back(); });
}

function back() {
  document.querySelector("main").classList.remove("reading");
  const marked = at("list").querySelector("[aria-current]") ?? at("list").querySelector("button");
  marked?.focus();
}

async function start() {
  fillWords();
  try {
    await loadMe();
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return;
    tellOf(error);
    setTimeout(start, 3000);
    return;
  }
  if (!me.agent) view = "all";
  at("inbox").hidden = false;
  drawViews();
  listen();
  live();
}

start();
