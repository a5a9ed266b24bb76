// Whether an answer to what a server's file asks for must not be shown.
import type { ServerInput } from './server.ts';

/**
 * What stands in the file is no secret, whatever the file calls it: hiding that would let a file hide a part of the
 * command that a person is asked to agree to.
 */
export function isSecretAnswer({ password, default: preset, options = [] }: ServerInput, answer: string): boolean {
  return password === true && answer !== preset && options.every(({ value }) => value !== answer);
}
