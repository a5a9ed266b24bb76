// `mcp-tunnel edge token`: what enrols one machine, once; and the list of those that nobody has spent.
import { roughDuration } from '../core/duration.ts';
import { formatHostPort } from '../core/hostname.ts';
import type { EdgeToken } from '../protocol/edgeAdmin.ts';
import type { CommandContext } from './command.ts';
import { withEdge } from './edgeAdmin.ts';
import { writeSecret } from './secretText.ts';

export type EdgeTokenOptions = {
  data?: string;
  label?: string[];
  connector?: string;
  expires: number;
  tokenFile?: string;
  list?: boolean;
};

export async function edgeToken(context: CommandContext, options: EdgeTokenOptions): Promise<void> {
  if (options.list) return listTokens(context, options.data);
  const { output, clock } = context;
  const { data, label, connector, tokenFile } = options;
  const { token, id, expiresMs, domain, port, pin } = await withEdge(context, data, async (edge) => {
    const request = {
      expiresMs: clock.now() + options.expires,
      ...(label ? { labels: label } : {}),
      ...(connector === undefined ? {} : { connector }),
    };
    return { ...(await edge['edge/info']({})), ...(await edge['edge/token'](request)) };
  });
  if (tokenFile !== undefined) await writeSecret(context, tokenFile, token);
  const shown = tokenFile === undefined ? { token } : { tokenFile };
  const edge = formatHostPort({ host: domain, port });
  output.event({ event: 'token', ...shown, id, expiresMs, edge, pin });
  output.line(tokenFile === undefined ? token : `The token is in ${tokenFile}.`);
  const file = tokenFile === undefined ? 'with it in token.txt' : 'with that file';
  output.log(`Works once, within ${roughDuration(options.expires)}. On the machine that is to be enrolled, ${file}:`);
  output.log({ text: `  mcp-tunnel allow add edge ${edge}`, style: 'cyan' });
  output.log({ text: `  mcp-tunnel enroll ${edge} --pin ${pin} --token-file token.txt`, style: 'cyan' });
}

async function listTokens(context: CommandContext, data: string | undefined): Promise<void> {
  const { output, clock } = context;
  const { tokens } = await withEdge(context, data, (edge) => edge['edge/tokens']({}));
  for (const token of tokens) output.event({ event: 'unspent', ...token });
  if (output.json) return;
  if (tokens.length === 0) return output.line('Every token was spent or has expired.');
  output.table(
    ['TOKEN', 'NAMES', 'ENROLS', 'EXPIRES'],
    tokens.map((token) => tokenRow(token, clock.now())),
  );
}

function tokenRow({ id, labels, connector, expiresMs }: EdgeToken, now: number): string[] {
  return [id, labels?.join(' ') ?? 'any', connector ?? 'a new machine', `in ${roughDuration(expiresMs - now)}`];
}
