// The sales desk: asks the API, and shows what it answers. No price is made here.
import { WORDS } from "./words.js";
import { bars, element, table, waterfall } from "./pictures.js";

const NEEDS = ["hospital_bills", "outpatient_care", "prescription_drugs", "income_in_hospital",
  "operations", "grave_illness", "accidents"];
const CHANNEL = "online";
// What a product, not one variant of it, was recommended for.
const OF_PRODUCT = new Set(["stated_need", "not_covered_yet", "likely_need", "needs_another"]);
const state = {
  language: localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en"),
  market: new URLSearchParams(location.search).get("market"),
  products: null, titles: null, answered: null, chosen: {}, compared: new Set(), member: null, turn: 0,
};
const at = (id) => document.getElementById(id);
const word = (name) => WORDS[name]?.[state.language] ?? name.replaceAll("_", " ");
const told = (text) => text?.[state.language] ?? "";
const money = (amount) => new Intl.NumberFormat(state.language, {
  style: "currency", currency: state.products.currency, maximumFractionDigits: amount < 100 ? 2 : 0,
}).format(amount);
const exact = (amount) => new Intl.NumberFormat(state.language, {
  style: "currency", currency: state.products.currency }).format(amount);

class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function send(path, sent = {}) {
  let answer;
  try { answer = await fetch(path, sent); } catch { throw new Refused(word("away")); }
  // What stands before the service may answer in HTML.
  const read = await answer.json().catch(() => null);
  if (read === null && answer.status !== 401) {
    throw new Refused(`${word("broken")} (${answer.status})`, answer.status);
  }
  return { ok: answer.ok, status: answer.status, read };
}

function call(path, body, headers = {}) {
  const token = sessionStorage.getItem("token");
  const sent = { headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) } };
  if (body) {
    Object.assign(sent, { method: "POST", body: JSON.stringify(body) });
    sent.headers["content-type"] = "application/json";
  }
  return send(path, sent);
}

async function ask(path, body, headers) {
  const joint = path.includes("?") ? "&" : "?";
  const query = state.market ? `${joint}market=${encodeURIComponent(state.market)}` : "";
  const { ok, status, read } = await call(path + query, body, headers);
  if (status === 401) {
    sessionStorage.removeItem("token");
    show("signin");
    at("client").focus();
    throw new Refused(word("signedOut"), status);
  }
  if (!ok) {
    const faults = (read.errors ?? []).map((one) => `${one.field}: ${one.message}`);
    throw new Refused([read.detail ?? read.title, ...faults].join(" · "), status);
  }
  return read;
}

function notice(text) { at("notice").textContent = text; }
function show(part) {
  at("signin").hidden = part !== "signin";
  at("desk").hidden = part !== "desk";
}

async function safely(work) {
  notice("");
  try { await work(); } catch (error) {
    at("said").textContent = "";
    notice(error instanceof Refused ? error.message : word("broken"));
    if (!(error instanceof Refused)) throw error;
  }
}

function translate() {
  document.documentElement.lang = state.language;
  document.title = word("title");
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = word(one.dataset.word);
  at("language").textContent = word("other");
  at("language").lang = state.language === "zh" ? "en" : "zh";
}

async function begin(filledIn = {}) {
  translate();
  rememberMember();
  await safely(async () => {
    state.titles ??= (await send("/desk/words.json")).read;
    state.products = await ask("/v1/products");
    state.market = state.products.market;
    show("desk");
    await offerMarkets();
    drawForm(filledIn);
    if (state.answered) draw(); else at("said").textContent = word("start");
  });
}

async function offerMarkets() {
  let names = [state.market];
  // Who may not read releases is served the one market.
  try { names = [...new Set((await ask("/v1/releases")).releases.map((one) => one.market))]; }
  catch (error) { if (!(error instanceof Refused)) throw error; }
  at("market").replaceChildren(...names.map((name) =>
    element("option", { value: name, selected: name === state.market }, word(name))));
}

function drawForm(answers) {
  for (const one of document.querySelectorAll(".currency")) one.textContent = state.products.currency;
  at("questions").replaceChildren(...state.products.questions.map((question) => {
    const id = `q-${question.name}`, value = answers[question.name] ?? "";
    const measured = question.unit === "currency" ? state.products.currency : question.unit;
    const unit = measured ? ` (${WORDS[measured]?.[state.language] ?? measured})` : "";
    const must = question.required ? ` · ${word("required")}` : "";
    const label = element("label", { for: id }, told(question.title) + unit + must);
    const field = question.kind === "level"
      ? element("select", { id, name: question.name, required: question.required },
        element("option", { value: "" }, question.required ? "—" : word("unknown")),
        ...question.levels.map((level, n) => element("option", { value: level, selected: level === value },
          told(question.level_titles[n]) || level)))
      : element("input", { id, name: question.name, type: "number", step: "any", required: question.required,
        min: question.minimum, max: question.maximum, value, inputmode: "decimal",
        placeholder: question.required ? "" : word("unknown") });
    return element("div", {}, label, field);
  }));
  const market = state.market !== "study";
  at("wishes").hidden = !market;
  const ticked = new Set([...document.querySelectorAll("#needs input:checked")].map((one) => one.value));
  at("needs").replaceChildren(...NEEDS.map((need) => element("label", {},
    element("input", { type: "checkbox", value: need, checked: ticked.has(need) }), " ", word(need))));
}

// What stands in the fields, as text.
function filled() {
  const names = state.products?.questions.map((question) => question.name) ?? [];
  return Object.fromEntries(names.map((name) => [name, at(`q-${name}`)?.value ?? ""]));
}

function answersOf(member) {
  const found = {}, given = filled();
  for (const { name, kind } of state.products.questions) {
    if (given[name] !== "") found[name] = kind === "level" ? given[name] : Number(given[name]);
    // What is left out would be priced as it is stored.
    else if (member) found[name] = null;
  }
  return found;
}

function example() {
  const found = {};
  for (const question of state.products.questions) {
    if (question.kind === "level") {
      // The answer that stands for good health is named no, none or good.
      const good = question.name === "social_insurance" ? ["yes"] : ["no", "none", "good"];
      found[question.name] = good.find((one) => question.levels.includes(one)) ?? question.levels[0];
    } else {
      const usual = { age: 43, body_mass_index: 23, glycated_haemoglobin: 5.2, systolic_pressure: 120 };
      if (question.name in usual) found[question.name] = usual[question.name];
    }
  }
  drawForm(found);
}

// The ids read on this device, until the tab is closed.
function rememberMember(id) {
  const known = JSON.parse(sessionStorage.getItem("members") ?? "[]");
  const members = id ? [id, ...known.filter((one) => one !== id)] : known;
  sessionStorage.setItem("members", JSON.stringify(members));
  at("members").replaceChildren(...members.map((one) => element("option", { value: one })));
}

async function loadMember() {
  const id = at("member").value.trim();
  if (!id) { state.member = null; return; }
  await safely(async () => {
    const profile = await ask(`/v1/members/${encodeURIComponent(id)}/profile`);
    const answers = {};
    for (const one of profile.features) answers[one.name] = one.value;
    state.member = id;
    rememberMember(id);
    drawForm(answers);
    at("said").textContent = `${word("loaded")} ${profile.as_of}`;
  });
}

function asked() {
  const named = at("member").value.trim();
  const member = named && state.member === named;
  return { answers: answersOf(member), ...(member && { member_id: named }) };
}

async function rank(body, kept) {
  if (kept) {
    try { return { ...await ask("/v1/recommendations", body), kept }; }
    catch (error) { if (error.status !== 503) throw error; }
  }
  // A service without a store still ranks.
  return ask("/v1/recommendations?store=false", body);
}

// What the user submits is kept and reported; what follows their typing is not.
async function recommend(submitted) {
  clearTimeout(waiting);
  const turn = ++state.turn;
  await safely(async () => {
    at("said").textContent = word("working");
    const who = asked(), budget = Number(at("budget").value);
    const stated = [...document.querySelectorAll("#needs input:checked")].map((one) => one.value);
    const wish = state.market === "study" ? {} : {
      wish: { channel: CHANNEL, stated_needs: stated }, ...(budget > 0 && { monthly_budget: budget }) };
    const [prices, ranked] = await Promise.all([
      ask("/v1/prices", who), rank({ ...who, ...wish }, submitted)]);
    // What was asked in the meantime has another answer.
    if (turn !== state.turn) return;
    state.answered = { prices, ranked, who, items: ranked.items.map(item) };
    if (submitted) state.chosen = {};
    draw();
    if (submitted) {
      at("results").focus({ preventScroll: true });
      at("results").scrollIntoView();
    }
    if (ranked.kept) report(ranked.decision_id);
  });
}

// Tells which plans could be read, and at which price; it is nothing to the user if that fails.
function report(decision) {
  const shown = [...document.querySelectorAll("#cards .card:has(.head)")].map((card, n) => {
    const head = card.querySelector(".head").getBoundingClientRect();
    return { plan: card.dataset.plan, position: n + 1, premium: premium(offerOf(card.dataset.plan)),
      in_view: head.top >= 0 && head.bottom <= innerHeight };
  });
  if (!shown.length) return;
  call("/v1/feedback", { kind: "display", decision_id: decision, channel: CHANNEL,
    language: state.language, occurred_at: new Date().toISOString(), shown }).catch(() => {});
}

// One shape for both kinds of release.
function item(one) {
  const years = ({ value }) => ({ without: value.tail_mean_without, covered: value.tail_mean_with,
    own: value.expected_out_of_pocket });
  return {
    plan: one.plan, product: one.product ?? one.plan, reasons: one.statements ?? one.reasons,
    years: one.value
      ? Object.fromEntries([one, ...one.variants].map((each) => [each.plan, years(each)]))
      : { [one.plan]: { without: one.bad_year_without_cover, covered: one.bad_year_out_of_pocket,
        own: one.expected_out_of_pocket } },
  };
}

const productOf = (plan) => state.products.products.find((one) => one.plan === plan);
const offerOf = (plan) => state.answered.prices.offers.find((one) => one.plan === plan);
const yearsOf = (plan) => state.answered.items.map((one) => one.years[plan]).find(Boolean);
const nameOf = (plan) => told(productOf(plan).name);
const premium = (offer) => offer.household_premium ?? offer.offered_premium;
const yearly = (offer) => Number(premium(offer));
const stepsOf = (offer) => offer.members?.[0].offered ?? offer.steps;
const title = (name) => told(state.titles[name]) || name.replaceAll("_", " ");

function variants(product) {
  return state.answered.prices.offers.filter((one) => (one.product ?? one.plan) === product);
}

function draw() {
  const { ranked, prices, items } = state.answered;
  at("said").textContent = ranked.items.length ? `${word("found")}: ${ranked.items.length}` : word("none");
  at("cards").replaceChildren(...items.map(card));
  at("bundle").replaceChildren(...bundle(ranked.bundle));
  const lines = new Map();
  for (const one of prices.refused ?? []) lines.set(one.plan, one.reason);
  for (const one of ranked.not_offered) if (!lines.has(one.plan) && one.state !== "unknown") lines.set(one.plan, one.allowed);
  at("refused").replaceChildren(...(lines.size ? [element("details", {},
    element("summary", {}, word("refused")),
    element("ul", {}, ...[...lines].map(([plan, why]) =>
      element("li", {}, `${told(productOf(plan).name)}: ${why}`))))] : []));
  compare();
}

function reasons(one, plan) {
  const all = one.reasons.filter((reason) => reason.polarity !== "note");
  const kept = plan === one.plan ? all : all.filter((reason) => OF_PRODUCT.has(reason.code));
  const list = element("ul", { class: "reasons" }, ...kept.slice(0, 5).map((reason) =>
    element("li", { class: reason.polarity }, told(reason.text))));
  return kept.length === all.length ? [list]
    : [list, element("p", { class: "note" }, `${word("toldFor")} ${nameOf(one.plan)}`)];
}

function card(one) {
  const chosen = state.chosen[one.product];
  const plan = chosen && offerOf(chosen) ? chosen : one.plan;
  const offer = offerOf(plan), product = productOf(plan), options = variants(one.product);
  const made = element("li", { class: "card", "data-plan": plan });
  if (!offer) return made;
  const price = yearly(offer), id = `variant-${one.product}`;
  const rows = waterfall(stepsOf(offer), title, money);
  made.append(element("div", { class: "head" }, element("h3", {}, told(product.name)),
    element("div", { class: "price" }, exact(price / 12), element("small", {}, ` ${word("month")} · ${exact(price)} ${word("year")}`))));
  made.append(element("p", { class: "note" }, told(product.summary)));
  made.append(...reasons(one, plan));
  if (options.length > 1) made.append(element("label", { for: id }, word("variant")),
    element("select", { id, onchange: (event) => {
      state.chosen[one.product] = event.target.value;
      made.replaceWith(card(one));
      at(id).focus();
      at("said").textContent = `${told(productOf(event.target.value).name)}: ${exact(yearly(offerOf(event.target.value)))} ${word("year")}`;
    } }, ...options.map((other) => element("option", { value: other.plan, selected: other.plan === plan },
      `${told(productOf(other.plan).name)} · ${exact(yearly(other) / 12)} ${word("month")}`))));
  if (one.years[plan]) {
    const { without, covered } = one.years[plan];
    const bad = [
      { title: word("without"), from: 0, to: without, told: money(without), kind: "up" },
      { title: word("withPlan"), from: 0, to: covered, told: money(covered), kind: "down" }];
    made.append(element("h4", {}, word("badYear")), bars(bad, `${word("badYear")}: ${bad.map((b) => `${b.title} ${b.told}`).join(", ")}`));
  }
  made.append(element("details", {}, element("summary", {}, word("waterfall")),
    bars(rows, `${word("waterfall")}: ${exact(price)}`),
    table([word("step"), word("effect")], rows.map((row) => [row.title, row.told]))));
  made.append(element("details", {}, element("summary", {}, `${word("excluded")} · ${word("claim")}`),
    element("p", {}, told(product.exclusions)), element("p", {}, told(product.how_to_claim))));
  made.append(element("div", { class: "row" },
    element("label", { class: "pick" }, element("input", { type: "checkbox", checked: state.compared.has(plan),
      onchange: (event) => pick(plan, event.target.checked) }),
    " ", word("compare")),
    element("button", { type: "button", onclick: (event) => save(plan, event.target) }, word("save"))));
  return made;
}

function bundle(found) {
  if (!found) return [];
  const names = (plans) => plans.map((plan) => told(productOf(plan).name)).join(state.language === "zh" ? "、" : "; ");
  return [element("div", { class: "bundle" }, element("h3", {}, word("bundle")),
    element("p", {}, found.plans.length ? `${names(found.plans)} — ${exact(found.monthly_premium)} ${word("month")}` : word("nothing")),
    element("p", { class: "note" }, found.more_adds.length ? `${word("more")}: ${names(found.more_adds)}` : word("moreNothing")))];
}

// A plan stays in the comparison while its card shows another variant.
function pick(plan, wanted) {
  state.compared[wanted ? "add" : "delete"](plan);
  compare();
  const names = comparedPlans().map(nameOf);
  at("said").textContent = [`${word("side")}: ${names.join(" · ") || word("nonePicked")}`,
    ...(names.length === 1 ? [word("oneMore")] : [])].join(" — ");
}

function dropButton(plan) {
  return element("button", { type: "button", class: "drop", "aria-label": `${word("drop")}: ${nameOf(plan)}`,
    onclick: () => {
      const box = document.querySelector(`#cards [data-plan="${plan}"] .pick input`);
      if (box) box.checked = false;
      pick(plan, false);
      (document.querySelector("#compare .drop") ?? at("results")).focus();
    } }, "×");
}

const comparedPlans = () => [...state.compared].filter(offerOf);

function deductible(plan) {
  const { benefit, benefits = { benefit } } = productOf(plan);
  const amounts = Object.values(benefits).map((one) => one.deductible).filter((amount) => amount > 0);
  return amounts.length ? amounts.map(money).join(" · ") : word("nothingOff");
}

function ownShare(plan) {
  const years = yearsOf(plan);
  if (!years) return word("unknown");
  // Lump sums may pay more than care costs.
  return years.own < 0 ? `${money(-years.own)} ${word("gained")}` : money(years.own);
}

function compare() {
  const plans = comparedPlans();
  if (!plans.length) { at("compare").replaceChildren(); return; }
  const line = (name, tell) => [word(name), ...plans.map(tell)];
  const badYear = (plan) => { const years = yearsOf(plan); return years ? money(years.covered) : word("unknown"); };
  at("compare").replaceChildren(element("div", {}, element("h3", {}, word("side")),
    ...(plans.length === 1 ? [element("p", { class: "note" }, word("oneMore"))] : []),
    table(["", ...plans.map((plan) => element("span", {}, nameOf(plan), " ", dropButton(plan)))],
      [line("premium", (plan) => `${exact(yearly(offerOf(plan)))} ${word("year")}`),
        line("badYear", badYear), line("ownShare", ownShare), line("deductible", deductible),
        line("cover", (plan) => told(productOf(plan).summary)),
        line("excluded", (plan) => told(productOf(plan).exclusions)),
        line("claim", (plan) => told(productOf(plan).how_to_claim))])));
}

async function save(plan, button) {
  await safely(async () => {
    button.disabled = true;
    // The same press sent twice is one quote.
    button.dataset.key ??= crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    try {
      const quote = await ask("/v1/quotes", { ...state.answered.who, plans: [plan] }, { "idempotency-key": button.dataset.key });
      at("said").textContent = `${word("saved")} ${quote.quote_id}, ${word("until")} ${quote.valid_until.slice(0, 10)}`;
    } finally { button.disabled = false; }
  });
}

let waiting;
function soon() {
  if (!state.answered) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => at("asked").checkValidity() && recommend(false), 400);
}

at("language").addEventListener("click", () => {
  state.language = state.language === "zh" ? "en" : "zh";
  localStorage.setItem("language", state.language);
  translate();
  if (!state.products) return;
  drawForm(filled());
  for (const option of at("market").options) option.textContent = word(option.value);
  if (state.answered) draw(); else at("said").textContent = word("start");
});
at("market").addEventListener("change", (event) => {
  Object.assign(state, { market: event.target.value, answered: null, member: null,
    turn: state.turn + 1 });
  state.compared.clear();
  for (const id of ["cards", "bundle", "compare", "refused"]) at(id).replaceChildren();
  begin();
});
at("asked").addEventListener("submit", (event) => { event.preventDefault(); recommend(true); });
at("budget").addEventListener("input", soon);
at("needs").addEventListener("change", soon);
at("example").addEventListener("click", example);
at("load").addEventListener("click", loadMember);
at("member").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  loadMember();
});
at("signin").addEventListener("submit", (event) => {
  event.preventDefault();
  safely(async () => {
    const form = new URLSearchParams({ grant_type: "client_credentials", client_id: at("client").value,
      client_secret: at("secret").value });
    if (at("otp").value) form.set("otp", at("otp").value);
    const { ok, read } = await send("/oauth/token", { method: "POST", body: form });
    if (!ok) throw new Refused(read?.error_description ?? read?.detail ?? read?.error ?? word("broken"));
    sessionStorage.setItem("token", read.access_token);
    at("secret").value = "";
    await begin(filled());
    at("member").focus();
  });
});
begin();
