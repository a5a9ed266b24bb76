// Marks of tool poisoning: text for the model that its user would not want there, hidden or in plain sight (OWASP MCP
// Top 10, "tool poisoning"). A mark is a hint, not a proof, and a text without marks proves nothing.
import type { JsonValue } from '../../core/json.ts';
import { quoted, type Finding, type FindingRule } from './finding.ts';
import { controlCharacters, hiddenCharacters, lookOf, mixesScripts } from './hiddenText.ts';
import { isSame } from './drift.ts';
import type { Listed } from './offer.ts';

/** Of one text; real servers have up to about half of it. */
export const maxPlainTextLength = 6_000;
/** Of a text, what is searched for sentences; the length is a mark of its own. */
const searchedLength = 100_000;
/** Texts of one definition that are looked at. */
const maxTexts = 2_000;

/** What is said to the model rather than about the tool; in one line each, so that a reader sees what is looked for. */
const sentences: readonly [FindingRule, RegExp][] = [
  [
    'overrides-instructions',
    /\b(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|the\s+|your\s+|every\s+)*(?:previous|prior|earlier|above|other|system)\s+(?:instruction|prompt|rule|direction|message|context)s?\b/i,
  ],
  [
    'hides-from-user',
    /\b(?:do\s+not|don['’]t|never|must\s+not|without)\s+(?:\w+\s+){0,2}?(?:tell|telling|mention|mentioning|inform|informing|reveal|revealing|notify|notifying|show|showing|alert|alerting|disclose|disclosing|asking)\b[^.!?\n]{0,40}\b(?:user|human|developer)s?\b/i,
  ],
  [
    'hides-from-user',
    /\b(?:hide|conceal|keep)\s+(?:this|it|that)\b[^.!?\n]{0,30}\b(?:from\s+the\s+(?:user|human|developer)|secret|hidden)\b/i,
  ],
  [
    'poses-as-instructions',
    /<\/?\s*(?:important|system|secret|hidden|instructions?|critical|admin|sys|assistant|s)\s*>/i,
  ],
  ['poses-as-instructions', /\[(?:system|inst|important|admin)\]|<\|(?:im_start|system|endoftext)\|?>/i],
  [
    'poses-as-instructions',
    /\b(?:new|updated|secret|hidden)\s+(?:system\s+)?(?:instructions?|prompt)\s*(?:for\s+the\s+(?:model|assistant|ai)\s*)?:/i,
  ],
  [
    'comes-before-others',
    /\bbefore\s+(?:using|calling|invoking|running)\s+(?:any|every|all)\s+(?:other\s+|another\s+)?tools?\b/i,
  ],
  [
    'comes-before-others',
    /\b(?:whenever|when|if|every\s+time)\s+(?:\w+\s+){0,4}?(?:another|other|any\s+other)\s+tools?\s+(?:is|are|gets?)\s+(?:used|called|invoked|available)\b/i,
  ],
  [
    'reads-secrets',
    /(?:~|\$HOME|%USERPROFILE%|\/home\/\w+|\/root)[\\/]\.(?:ssh|aws|gnupg|kube|netrc|cursor|claude|config[\\/]gh)\b/i,
  ],
  [
    'reads-secrets',
    /\bid_(?:rsa|ed25519|ecdsa)\b|\/etc\/(?:passwd|shadow)\b|\.aws[\\/]credentials\b|\b(?:mcp|claude_desktop_config)\.json\b[^.\n]{0,40}\b(?:read|content)|\b(?:read|contents?\s+of)\b[^.\n]{0,40}\b(?:mcp|claude_desktop_config)\.json\b/i,
  ],
];

/** Every text of one tool, prompt, resource or template. */
export function poisoningFindings({ name, definition }: Listed): Finding[] {
  const findings = textsOf(definition).flatMap(({ text, where }) => textFindings(text, where));
  if (mixesScripts(name)) findings.push({ rule: 'look-alike-letters', where: 'name', words: [quoted(name)] });
  return findings;
}

/** Of one text, as also the instructions of a server are. */
export function textFindings(text: string, where: string): Finding[] {
  const findings: Finding[] = [];
  const [unseen, controls] = [hiddenCharacters(text), controlCharacters(text)];
  const some = (codes: string[]): string => codes.slice(0, 4).join(', ');
  if (unseen.length > 0) findings.push({ rule: 'hidden-characters', where, words: [some(unseen)] });
  if (controls.length > 0) findings.push({ rule: 'terminal-escapes', where, words: [some(controls)] });
  if (text.length > maxPlainTextLength) findings.push({ rule: 'long-text', where, words: [String(text.length)] });
  const searched = text.slice(0, searchedLength);
  const told = new Set<FindingRule>();
  for (const [rule, pattern] of sentences) {
    const found = told.has(rule) ? undefined : pattern.exec(searched);
    if (!found) continue;
    told.add(rule);
    findings.push({ rule, where, words: [quoted(found[0])] });
  }
  const away = sendsAway(searched);
  if (away !== undefined) findings.push({ rule: 'sends-away', where, words: [quoted(away)] });
  return findings;
}

const address = /https?:\/\/[^\s"'<>)]{1,200}|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.\w/g;
const sending = /\b(?:send|post|upload|forward|exfiltrate|transmit|submit|leak|email|bcc|cc)\b[^.!?\n]*$/i;
/** How far before an address a verb stands, and how many addresses are looked at. */
const sendingDistance = 100;
const maxAddresses = 100;

/** The sentence from its verb to the address. Looked for from the address, since verbs are many. */
function sendsAway(text: string): string | undefined {
  let addresses = 0;
  for (const { 0: found, index } of text.matchAll(address)) {
    addresses += 1;
    if (addresses > maxAddresses) return undefined;
    const before = sending.exec(text.slice(Math.max(0, index - sendingDistance), index));
    if (before) return `${before[0]}${found}`;
  }
  return undefined;
}

/** Tools of another server of this machine, as it listed them the last time. */
export type OtherServer = { name: string; tools: readonly Listed[] };

/** Tools of other servers that are compared; those behind them are not. */
export const maxOtherTools = 20_000;

type OtherTool = { server: string; tool: Listed };

/** The tools of the others by their names and by what these look like: compared one by one, they would take too long. */
export class OtherTools {
  readonly #byName = new Map<string, OtherTool[]>();
  readonly #byLook = new Map<string, OtherTool[]>();

  constructor(others: readonly OtherServer[]) {
    const all = others.flatMap(({ name: server, tools }) => tools.map((tool) => ({ server, tool })));
    for (const other of all.slice(0, maxOtherTools)) {
      add(this.#byName, other.tool.name, other);
      add(this.#byLook, lookOf(other.tool.name), other);
    }
  }

  /** Whether a tool may be taken for one of another server, or speaks of one. */
  findings(tool: Listed, ownNames: ReadonlySet<string>): Finding[] {
    // One that is the same in every letter is the same server, known under two names.
    const different = ({ tool: other }: OtherTool): boolean => !isSame(other.definition, tool.definition);
    const sameName = (this.#byName.get(tool.name) ?? []).filter(different);
    const similar = (this.#byLook.get(lookOf(tool.name)) ?? []).filter(({ tool: other }) => !ownNames.has(other.name));
    const { description } = tool.definition;
    const words = typeof description === 'string' ? (description.slice(0, searchedLength).match(/[\w-]+/g) ?? []) : [];
    const spokenOf = [...new Set(words)]
      .filter((word) => isTelling(word) && !ownNames.has(word))
      .flatMap((word) => this.#byName.get(word) ?? []);
    const finding =
      (rule: FindingRule, where: string) =>
      (other: OtherTool): Finding => ({
        rule,
        where,
        words: [quoted(other.tool.name), quoted(other.server)],
      });
    return [
      ...sameName.map(finding('same-name', 'name')),
      ...similar.map(finding('similar-name', 'name')),
      ...spokenOf.map(finding('names-other-tool', 'description')),
    ];
  }
}

function add(map: Map<string, OtherTool[]>, key: string, other: OtherTool): void {
  const held = map.get(key);
  if (held) held.push(other);
  else map.set(key, [other]);
}

/** No word of a language: `send_message`, `listIssues`. */
function isTelling(name: string): boolean {
  return name.length >= 6 && (/[_-]/.test(name) || /[a-z][A-Z]/.test(name));
}

type Text = { text: string; where: string };

/** Recursive: definitions are at most {@link maxDefinitionDepth} levels deep. */
function textsOf(definition: JsonValue): Text[] {
  const texts: Text[] = [];
  const add = (value: JsonValue, where: string): void => {
    if (texts.length >= maxTexts) return;
    if (typeof value === 'string') texts.push({ text: value, where });
    else if (Array.isArray(value)) value.forEach((held, index) => add(held, `${where}[${index}]`));
    else if (typeof value === 'object' && value !== null) {
      for (const [key, held] of Object.entries(value)) {
        // A name is read by the model as well; one of a person's making needs no look of its own.
        if (!/^[\w$.-]{1,64}$/.test(key))
          texts.push({ text: key, where: where === '' ? quoted(key) : `${where}.${quoted(key)}` });
        add(held, where === '' ? key : `${where}.${key}`);
      }
    }
  };
  add(definition, '');
  return texts;
}
