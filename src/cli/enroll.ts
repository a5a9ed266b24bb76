// `mcp-tunnel enroll EDGE --token-file F`: this machine's certificate for an edge.
import { resolve } from 'node:path';
import { roughDuration } from '../core/duration.ts';
import { enrolAt } from '../helper/enrolAt.ts';
import type { CommandContext } from './command.ts';
import { edgeHost } from './optionParsers.ts';
import { readSecret } from './secretText.ts';

export type EnrollCommandOptions = { tokenFile: string; pin?: string; ca?: string; address?: string };

export async function enroll(
  context: CommandContext,
  edge: string | undefined,
  options: EnrollCommandOptions,
): Promise<void> {
  const { output, env, paths, files, clock, signal, folder } = context;
  const { pin, ca, address } = options;
  const host = edgeHost(edge ?? '');
  const token = await readSecret(context, options.tokenFile);
  const { domain, connector, expiresMs } = await enrolAt({
    edge: host,
    token,
    ...(pin === undefined ? {} : { pin }),
    ...(ca === undefined ? {} : { caFile: resolve(folder, ca) }),
    ...(address === undefined ? {} : { address }),
    env,
    paths,
    files,
    clock,
    signal,
  });
  output.event({ event: 'enrolled', edge: host, domain, connector, expiresMs });
  output.line(`This machine is enrolled at ${domain} as ${connector}, for ${roughDuration(expiresMs - clock.now())}.`);
  output.line('Expose a server there with', {
    text: ` mcp-tunnel expose NAME --carrier edge --edge ${host}`,
    style: 'cyan',
  });
}
