// The file in which a tunnel's OAuth state outlives the helper, so that a restart logs nobody out: which clients were
// let in, and digests of the tokens they hold. Read strictly: what cannot be understood holds nothing.
import { z } from 'zod';
import { TunnelError } from '../../core/errors.ts';

/** Tunnels in the file; the one used longest ago makes room. */
export const maxTunnels = 20;

/** Records of one tunnel. Fewer can come together: see the bounds in `oauthState.ts`. */
export const maxRecords = 600;

const recordSchema = z.strictObject({
  model: z.enum(['Client', 'Grant', 'AccessToken', 'RefreshToken']),
  /** The id itself for clients and grants; SHA-256 of a token. */
  key: z.string().min(1).max(2_048),
  grant: z.string().max(64).optional(),
  /** Seconds since the epoch; absent for clients. */
  exp: z.int().optional(),
  consumed: z.int().optional(),
  payload: z.record(z.string(), z.json()),
});

const tunnelSchema = z.strictObject({
  instance: z.string().min(1).max(128),
  usedMs: z.int().nonnegative(),
  records: z.array(recordSchema).max(maxRecords),
});

const fileSchema = z.strictObject({ version: z.literal(1), tunnels: z.array(tunnelSchema).max(maxTunnels) });

export type OAuthRecord = z.infer<typeof recordSchema>;
export type StoredTunnel = z.infer<typeof tunnelSchema>;

/** Throws `CONFIG_INVALID` naming the file; an absent one holds nothing. */
export function parseOAuthFile(text: string | undefined, file: string): StoredTunnel[] {
  if (text === undefined) return [];
  try {
    return fileSchema.parse(JSON.parse(text)).tunnels;
  } catch (cause) {
    const message = `${file} cannot be read: move it away, and agents that paired before pair once more`;
    throw new TunnelError('CONFIG_INVALID', message, { cause, data: { file } });
  }
}

/** The text with `tunnel` in place of what it had, newest first; without tunnels that hold nothing. */
export function withTunnel(text: string | undefined, file: string, tunnel: StoredTunnel): string {
  const others = parseOAuthFile(text, file).filter(({ instance }) => instance !== tunnel.instance);
  const tunnels = [tunnel, ...others].filter(({ records }) => records.length > 0).slice(0, maxTunnels);
  return `${JSON.stringify({ version: 1, tunnels })}\n`;
}
