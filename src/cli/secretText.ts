// Secrets cross the command line by file or standard input, never by an argument that other users can read.
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { systemCode, TunnelError } from '../core/errors.ts';
import type { CommandContext } from './command.ts';

/** Longest secret that is read. */
export const maxSecretBytes = 64 * 1024;

/** The first line of `file`; of standard input for `-`. Throws `USAGE` when it is empty or cannot be read. */
export async function readSecret({ folder, stdin }: CommandContext, file: string): Promise<string> {
  const text = file === '-' ? await readBounded(stdin, 'standard input') : await readSecretFile(resolve(folder, file));
  const secret = text.split(/\r?\n/, 1)[0]?.trim() ?? '';
  if (secret === '') throw new TunnelError('USAGE', `${file === '-' ? 'standard input' : file} holds no token`);
  return secret;
}

/** The whole of a small text file that holds no secret. Throws `USAGE` when it cannot be read. */
export function readText({ folder }: CommandContext, file: string): Promise<string> {
  return readSecretFile(resolve(folder, file));
}

/** Mode 0600, replaced whole. */
export async function writeSecret({ folder, files }: CommandContext, file: string, secret: string): Promise<void> {
  await files.write(resolve(folder, file), `${secret}\n`);
}

async function readSecretFile(path: string): Promise<string> {
  try {
    const handle = await open(path, 'r');
    return await readBounded(handle.createReadStream(), path);
  } catch (cause) {
    if (cause instanceof TunnelError) throw cause;
    throw new TunnelError('USAGE', `${path} cannot be read (${systemCode(cause) ?? 'unknown error'})`, { cause });
  }
}

async function readBounded(stream: Readable, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxSecretBytes) throw new TunnelError('USAGE', `${name} is too large to hold a token`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
