// Where the large vendors' hosted agents call from, as the vendors themselves publish it. Nothing here is a guess: a
// vendor that publishes no ranges is absent, and of one whose list changes by the week there is the address of the list.
// To bring this file up to date: read each `source`, change `networks`, and set `readOn` to that day.

export type VendorNetworks = {
  /** What it is called where people write it. */
  name: string;
  label: string;
  /** The vendor's own page. */
  source: string;
  /** The day on which the source was read. */
  readOn: string;
} & (
  | { networks: readonly string[] }
  /** A JSON file with `prefixes`, which changes too often to be copied here. */
  | { list: string }
);

export const vendorNetworks: readonly VendorNetworks[] = [
  {
    name: 'anthropic',
    label: 'Anthropic (claude.ai, Claude apps, Claude API)',
    source: 'https://platform.claude.com/docs/en/api/ip-addresses',
    readOn: '2026-11-21',
    networks: ['160.79.104.0/21'],
  },
  {
    name: 'openai',
    label: 'OpenAI (ChatGPT apps and connectors)',
    source: 'https://developers.openai.com/api/docs/guides/ip-addresses',
    readOn: '2026-11-21',
    list: 'https://openai.com/chatgpt-connectors.json',
  },
  {
    name: 'openai-codex',
    label: 'OpenAI (Codex cloud)',
    source: 'https://developers.openai.com/api/docs/guides/ip-addresses',
    readOn: '2026-11-21',
    list: 'https://openai.com/chatgpt-agents.json',
  },
];
