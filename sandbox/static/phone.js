"use strict";
// A feature phone over the sandbox's control API. Texts from outside are only ever put in as text, never as HTML.

const LETTERS = { 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ" };
const KEYS = "123456789*0#";
const PEOPLE = {
  SN: [["+221770000001", "Awa"], ["+221770000002", "Bakary"]],
  RW: [["+250780000001", "Mutesi"]],
  ML: [["+22376000001", "Coumba"]],
};
const POLL_MS = 1500;
const $ = (id) => document.getElementById(id);
const spaced = (amount) => String(amount).replace(/\B(?=(\d{3})+$)/g, " ");
const money = (amount, currency) => `${spaced(amount)} ${({ XOF: "FCFA", XAF: "FCFA", RWF: "FRw" })[currency] || currency}`;
const CURRENCY = { "+221": "XOF", "+223": "XOF", "+225": "XOF", "+226": "XOF", "+228": "XOF", "+229": "XOF", "+237": "XAF", "+250": "RWF" };
const clock = (iso) => iso.slice(11, 16);
const operatorName = (name) => ({ wave: "Wave", mtn: "MTN MoMo" })[name] || name;
let session = { open: false, screen: "" };
let busy = false;
let firstCode = "";
let shown = {};

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

async function api(path, said) {
  const asked = said === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said) };
  const answer = await fetch(path, asked);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ? `${body.error} (${body.do})` : `HTTP ${answer.status}`);
  return body;
}

const number = () => $("number").value.replace(/[^\d+]/g, "");
const phone = (rest) => `/phones/${encodeURIComponent(number())}${rest}`;
const usable = () => /^\+?[1-9]\d{7,14}$/.test(number());

function draw() {
  const idle = !session.open && !session.screen && !session.error;
  $("who").textContent = number() || "—";
  $("state").textContent = busy ? "…" : session.open ? "en ligne" : "";
  $("text").className = "text" + (idle ? " idle" : "") + (session.error ? " wrong" : "");
  $("text").textContent = session.error || session.screen || "Composez un code\npuis « Appeler »";
  if (!idle && !session.open && !session.error) $("text").append(make("span", "\n\n— fin de la session —", "small"));
  $("call").textContent = session.open ? "Envoyer" : "Appeler";
  $("call").disabled = busy || !usable();
  $("hang").disabled = !session.open && idle;
  $("typed").placeholder = session.open ? "votre réponse" : firstCode;
}

async function act(path, said) {
  if (busy) return;
  busy = true;
  draw();
  try {
    session = await api(phone(path), said);
    if (session.error) session.error = `Réponse refusée par le réseau : ${session.error}`;
  } catch (error) {
    session = { open: false, screen: "", error: error.message };
  }
  busy = false;
  $("typed").value = "";
  draw();
  $("text").scrollTop = 0;
  refresh();
}

function send() {
  const typed = $("typed").value.trim();
  if (session.open) act("/reply", { input: typed });
  else if (usable()) act("/dial", { code: typed || firstCode, gateway: "africastalking" });
}

function hang() {
  if (session.open) act("/hangup", {}).then(() => { session = { open: false, screen: "" }; draw(); });
  else { session = { open: false, screen: "" }; draw(); }
}

// A list is drawn again only when it changed, so that a reader or a half-typed reply is not disturbed.
function changed(name, value) {
  const text = JSON.stringify(value);
  if (shown[name] === text) return false;
  shown[name] = text;
  return true;
}

function withLinks(target, text) {
  for (const part of text.split(/(https?:\/\/\S+?)(?=[.,;)]?(?:\s|$))/)) {
    if (!/^https?:\/\//.test(part)) { target.append(part); continue; }
    const link = make("a", part);
    link.href = part;
    link.target = "_blank";
    link.rel = "noopener";
    target.append(link);
  }
}

function drawSms(messages) {
  if (!changed("sms", messages)) return;
  $("no-sms").hidden = messages.length > 0;
  const items = messages.slice().reverse().map((message, place) => {
    const item = make("li", undefined, place === 0 ? "new" : "");
    const meta = make("div", undefined, "meta");
    meta.append(make("span", message.from), make("span", clock(message.at)));
    const text = make("div");
    withLinks(text, message.text);
    item.append(meta, text);
    if (place === 0) item.append(replyForm(message.from));
    return item;
  });
  $("sms").replaceChildren(...items);
}

function replyForm(to) {
  const form = make("form");
  const input = make("input");
  input.placeholder = "Répondre par SMS";
  input.setAttribute("aria-label", "Répondre par SMS");
  form.append(input, make("button", "Envoyer"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!input.value) return;
    try { await api(phone("/sms"), { to, text: input.value }); input.value = ""; input.placeholder = "Envoyé ✓"; }
    catch (error) { input.value = ""; input.placeholder = error.message; }
  });
  return form;
}

function drawPrompts(prompts) {
  if (!changed("prompts", prompts)) return;
  $("prompts-card").hidden = $("jump").hidden = prompts.length === 0;
  $("prompts").replaceChildren(...prompts.map((prompt) => {
    const box = make("div", undefined, "prompt");
    box.append(make("p", `${operatorName(prompt.operator)} · payer à ${prompt.from || "un marchand"}`));
    box.append(make("p", money(prompt.amount, prompt.currency), "amount"));
    if (prompt.note) box.append(make("p", prompt.note, "small"));
    const choices = make("div", undefined, "choices");
    for (const [answer, label, style] of [["approve", "Approuver", "yes"], ["decline", "Refuser", "no"]]) {
      const button = make("button", label, style);
      button.addEventListener("click", async () => {
        try { await api(phone(`/prompts/${encodeURIComponent(prompt.id)}`), { answer }); }
        catch (error) { box.append(make("p", error.message, "wrong")); }
        refresh();
      });
      choices.append(button);
    }
    box.append(choices);
    return box;
  }));
}

function drawTruth(movements) {
  if (!changed("truth", movements)) return;
  $("no-truth").hidden = movements.length > 0;
  $("truth").hidden = movements.length === 0;
  const totals = {};
  for (const one of movements) if (!one.reversed) totals[one.currency] = (totals[one.currency] || 0) + one.amount;
  const sums = Object.entries(totals).map(([currency, sum]) => money(sum, currency)).join(" et ");
  $("total").textContent = movements.length ? `${movements.length} paiement(s), ${sums || "tout repris"}` : "";
  $("truth").tBodies[0].replaceChildren(...movements.slice(-30).reverse().map((one) => {
    const row = make("tr", undefined, one.reversed ? "back" : "");
    const cells = [[clock(one.at)], [money(one.amount, one.currency), "n"], [one.payer], [operatorName(one.operator)], [one.account], [one.transaction, "id"]];
    row.append(...cells.map(([text, style]) => make("td", text, style)));
    return row;
  }));
}

async function refresh() {
  try {
    drawTruth(await api("/truth"));
    if (usable()) {
      const [state, messages, prompts] = await Promise.all([api(phone("")), api(phone("/sms")), api(phone("/prompts"))]);
      $("wallet").textContent = `Porte-monnaie : ${money(state.balance, CURRENCY[state.phone.slice(0, 4)] || "")}`;
      drawSms(messages);
      drawPrompts(prompts);
      if (!busy && session.open && !state.open) { session = { ...session, open: false }; draw(); }
    }
    $("lost").hidden = true;
  } catch {
    $("lost").hidden = false;
  }
}

async function choose(chosen) {
  if (session.open && !busy) await act("/hangup", {});
  $("number").value = chosen;
  session = { open: false, screen: "" };
  shown = {};
  for (const chip of $("people").children) chip.setAttribute("aria-pressed", String(chip.dataset.number === number()));
  try { localStorage.setItem("number", chosen); } catch { /* private window */ }
  if (usable()) session = await api(phone("")).then((state) => (state.open ? state : session), () => session);
  draw();
  refresh();
}

async function begin() {
  for (const key of KEYS) {
    const button = make("button", key);
    button.type = "button";
    button.append(make("small", LETTERS[key] || ""));
    button.addEventListener("click", () => { $("typed").value += key; });
    $("pad").append(button);
  }
  $("line").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  $("call").addEventListener("click", send);
  $("hang").addEventListener("click", hang);
  $("erase").addEventListener("click", () => { $("typed").value = $("typed").value.slice(0, -1); });
  $("number").addEventListener("change", () => choose(number()));
  const { codes, phones } = await api("/codes");
  firstCode = codes.length ? codes[0].code : "";
  const countries = [...new Set(codes.map((one) => one.country))];
  const people = phones.length ? phones.map((one) => [one.number, one.label]) : countries.flatMap((country) => PEOPLE[country] || []);
  if (!people.length) people.push(...PEOPLE.SN);
  $("people").append(...people.map(([chosen, name]) => {
    const chip = make("button", name);
    chip.type = "button";
    chip.dataset.number = chosen;
    chip.title = chosen;
    chip.addEventListener("click", () => choose(chosen));
    return chip;
  }));
  $("numbers").append(...people.map(([chosen, name]) => Object.assign(make("option"), { value: chosen, label: name })));
  const regions = new Intl.DisplayNames(["fr"], { type: "region" });
  $("codes").append(...codes.map((one) => {
    const button = make("button");
    const where = [one.mutuelle, one.country && regions.of(one.country), one.operators.map(operatorName).join(", ")];
    button.append(make("strong", one.code), make("span", where.filter(Boolean).join(" · ") || "Mutuelle de démonstration"));
    button.addEventListener("click", () => {
      if (usable()) act("/dial", { code: one.code, gateway: "africastalking" });
      else $("typed").value = one.code;
      $("pad").parentElement.scrollIntoView({ block: "nearest" });
    });
    const item = make("li");
    item.append(button);
    return item;
  }));
  let kept = null;
  try { kept = localStorage.getItem("number"); } catch { /* private window */ }
  await choose(kept || people[0][0]);
  setInterval(() => { if (!document.hidden) refresh(); }, POLL_MS);
}

begin().catch(() => { $("lost").hidden = false; });
