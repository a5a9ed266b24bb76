// What is worth a person's attention in what a server offers: a rule that holds, and where. The sentences stand in one
// table, so that they can be translated; `{0}` is the place, the others are the finding's words.

/** `refused`: a client refuses the tool, or the whole list; `degraded`: it works worse; `suspicious`: a hint, no proof. */
export type FindingLevel = 'refused' | 'degraded' | 'suspicious';

type FindingRow = {
  /** What it is about, in few words. */
  title: string;
  level: FindingLevel;
  sentence: string;
  /** Where it was reported, for findings about clients. */
  source?: string;
};

export const findingRows = {
  // ── Clients ────────────────────────────────────────────────────────────
  'root-not-object': {
    title: 'Some clients drop all tools',
    level: 'refused',
    sentence:
      'Claude Code and clients made with the TypeScript SDK drop every tool of this server: {0} is not of "type": "object".',
    source: 'anthropics/claude-code#88049',
  },
  'output-not-object': {
    title: 'Some clients drop all tools',
    level: 'refused',
    sentence: 'Clients made with the TypeScript SDK drop every tool of this server: {0} is not of "type": "object".',
    source: 'kenn-io/msgvault#626, opentokenz/mcpx#28',
  },
  'property-not-object': {
    title: 'Some clients drop all tools',
    level: 'refused',
    sentence:
      'Clients made with the TypeScript SDK drop every tool of this server: {0} is true or false instead of a schema object.',
    source: 'Azure/Azure-Resource-Manager-MCP#21',
  },
  'combined-root': {
    title: 'Claude refuses it',
    level: 'refused',
    sentence: 'Claude refuses the tool: {1} stands at the top level of {0}. It may stand inside a property.',
    source: 'anthropics/claude-code#657, anthropics/claude-code#95504',
  },
  'tool-name': {
    title: 'Claude Desktop refuses its name',
    level: 'refused',
    sentence: 'Claude Desktop refuses the name: 1 to 64 letters, digits, _ and - are allowed.',
    source: 'modelcontextprotocol/modelcontextprotocol#1063, NetApp/netapp-dataops-toolkit#38',
  },
  'property-name': {
    title: 'Claude refuses an argument’s name',
    level: 'refused',
    sentence: 'Claude refuses the tool: {0} is no name of 1 to 64 letters, digits, _ . and -.',
    source: 'freee/freee-mcp#15, decocms/studio#6874',
  },
  'array-without-items': {
    title: 'OpenAI, Gemini and Copilot refuse it',
    level: 'refused',
    sentence: 'OpenAI, Gemini and VS Code Copilot refuse the tool: the array {0} does not say what its items are.',
    source: 'meilisearch/meilisearch-mcp#27, agentscope-ai/ReMe#84',
  },
  'combined-name-long': {
    title: 'Cursor leaves it out',
    level: 'refused',
    sentence:
      'Cursor leaves the tool out: its name and the server’s together have {1} characters; fewer than 60 are shown.',
    source: 'ComposioHQ/composio#2788, awslabs/mcp#1283',
  },
  'many-tools': {
    title: 'Too many tools for Copilot',
    level: 'refused',
    sentence: 'VS Code Copilot takes at most 128 tools in a request, those of other servers included; here are {1}.',
    source: 'microsoft/vscode-copilot-release#11653, microsoft/copilot-intellij-feedback#1842',
  },
  'type-list': {
    title: 'Gemini may refuse it',
    level: 'refused',
    sentence: 'Gemini refuses a list of types ({0} has {1}) where its host passes the schema on as it is.',
    source: 'aoci-spec/aoci-code#61, github/copilot-cli#4623',
  },
  reference: {
    title: 'Gemini may refuse it',
    level: 'refused',
    sentence: 'Gemini refuses $ref ({0}) where its host passes the schema on as it is.',
    source: 'google-gemini/gemini-cli#13326, anomalyco/opencode#12295',
  },
  'enum-not-string': {
    title: 'Gemini refuses it',
    level: 'refused',
    sentence: 'Gemini refuses the enum of {0}: only strings can be listed.',
    source: 'makenotion/notion-mcp-server#42',
  },
  'unknown-keyword': {
    title: 'Gemini may refuse it',
    level: 'refused',
    sentence: 'Gemini refuses {1} ({0}) where its host passes the schema on as it is.',
    source: 'zendev-sh/goai#108, pizza-bot-app/pizza-bot#62',
  },
  'description-cut': {
    title: 'Claude Code cuts its description',
    level: 'degraded',
    sentence: 'Claude Code cuts the description after 2,048 characters; it has {1}.',
    source: 'anthropics/claude-code#41593, anthropics/claude-code#87650',
  },
  'instructions-cut': {
    title: 'Claude Code cuts the instructions',
    level: 'degraded',
    sentence: 'Claude Code cuts the server’s instructions after 2,048 characters; they have {1}.',
    source: 'anthropics/claude-code#81268',
  },
  'many-tools-cursor': {
    title: 'Many tools for Cursor',
    level: 'degraded',
    sentence: 'Cursor warns of more than 80 tools, those of other servers included; here are {1}.',
    source: 'Snowflake-Labs/mcp#77',
  },
  'many-tokens': {
    title: 'Large tool list',
    level: 'degraded',
    sentence: 'The tool list takes about {1} tokens of every conversation; Claude Code warns of more than 25,000.',
    source: 'anthropics/claude-code#12241',
  },
  'too-deep': {
    title: 'Nested very deep',
    level: 'degraded',
    sentence:
      'Its definition is nested deeper than {1} levels; what is below is not shown, and clients may fail on it.',
  },
  // ── Annotations ────────────────────────────────────────────────────────
  'hint-not-boolean': {
    title: 'Annotation without effect',
    level: 'degraded',
    sentence: '{0} is neither true nor false: clients ignore it.',
  },
  'read-only-and-destructive': {
    title: 'Contradicts itself',
    level: 'suspicious',
    sentence: 'It says both that it changes nothing (readOnlyHint) and that it destroys (destructiveHint).',
  },
  'read-only-name': {
    title: 'Says it only reads',
    level: 'suspicious',
    sentence: 'It says that it changes nothing (readOnlyHint), and its name says “{1}”.',
  },
  // ── Poisoning ──────────────────────────────────────────────────────────
  'hidden-characters': {
    title: 'Hidden characters',
    level: 'suspicious',
    sentence: 'Characters that nobody sees stand in {0} ({1}): a model reads them, a person does not.',
  },
  'terminal-escapes': {
    title: 'Control characters',
    level: 'suspicious',
    sentence: 'Control characters stand in {0} ({1}): in a terminal they hide or change what is shown.',
  },
  'look-alike-letters': {
    title: 'Look-alike letters',
    level: 'suspicious',
    sentence: 'Letters of several scripts stand in {0}: “{1}” may be taken for another name.',
  },
  'overrides-instructions': {
    title: 'Overrides instructions',
    level: 'suspicious',
    sentence: '{0} tells the model to forget what it was told before: “{1}”.',
  },
  'hides-from-user': {
    title: 'Hides something from you',
    level: 'suspicious',
    sentence: '{0} tells the model to keep something from you: “{1}”.',
  },
  'poses-as-instructions': {
    title: 'Orders to the model',
    level: 'suspicious',
    sentence: '{0} poses as orders to the model rather than a description: “{1}”.',
  },
  'comes-before-others': {
    title: 'Meddles with other tools',
    level: 'suspicious',
    sentence: '{0} says how other tools are to be used: “{1}”.',
  },
  'reads-secrets': {
    title: 'Reads secrets',
    level: 'suspicious',
    sentence: '{0} speaks of files that hold secrets: “{1}”.',
  },
  'sends-away': {
    title: 'Sends something away',
    level: 'suspicious',
    sentence: '{0} tells the model to send something to an address: “{1}”.',
  },
  'long-text': {
    title: 'Very long text',
    level: 'suspicious',
    sentence: '{0} has {1} characters: longer than a person reads, and a model reads it all.',
  },
  'names-other-tool': {
    title: 'Speaks of another server’s tool',
    level: 'suspicious',
    sentence: '{0} speaks of the tool “{1}” of another server, {2}.',
  },
  'same-name': {
    title: 'Same name as another tool',
    level: 'suspicious',
    sentence: 'The server {2} has another tool of this name: a model may call the one for the other.',
  },
  'similar-name': {
    title: 'Looks like another tool',
    level: 'suspicious',
    sentence: 'The name looks like “{1}” of the server {2}: a model, or you, may take the one for the other.',
  },
} as const satisfies Record<string, FindingRow>;

export type FindingRule = keyof typeof findingRows;

/** `where` is a place in the definition, like `inputSchema.properties.path`. Both hold words of strangers. */
export type Finding = { rule: FindingRule; where: string; words?: string[] };

export function levelOf({ rule }: Finding): FindingLevel {
  return findingRows[rule].level;
}

/** `render` puts the words in their places, in the reader's language. */
export function findingSentence(
  { rule, where, words = [] }: Finding,
  render: (sentence: string, ...words: string[]) => string,
): string {
  return render(findingRows[rule].sentence, where, ...words);
}

/** Findings of one thing that are kept; the first ones tell enough. */
export const maxFindings = 20;
/** The same, of one among many. */
export const maxFindingsOfMany = 3;

/** A quotation of a stranger, short enough for a sentence. */
export function quoted(text: string, maxLength = 80): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  return flat.length > maxLength ? `${flat.slice(0, maxLength)}…` : flat;
}
