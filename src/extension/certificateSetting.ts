// Whose certificate agents see at a tunnel through an edge, as the user's settings have it; the workspace has no say.
import { workspace } from 'vscode';
import type { Destination, OpenTunnel } from '../protocol/control.ts';
import { settingIds } from './commandIds.ts';

/** Nothing where no authority is named: this machine's own signs. */
export function certificateFor({ carrier }: Destination): Pick<OpenTunnel, 'certificate'> {
  const settings = workspace.getConfiguration(settingIds.section);
  const text = (id: string): string | undefined => {
    const set = settings.get<unknown>(id);
    return typeof set === 'string' && set.trim() !== '' ? set.trim() : undefined;
  };
  const directory = text(settingIds.acmeDirectory);
  if (carrier !== 'edge' || directory === undefined) return {};
  const [email, caFile] = [text(settingIds.acmeEmail), text(settingIds.acmeCaFile)];
  return {
    certificate: {
      kind: 'acme',
      directory,
      ...(settings.get<unknown>(settingIds.acmeAgreeToTerms) === true ? { agreedToTerms: true } : {}),
      ...(email === undefined ? {} : { email }),
      ...(caFile === undefined ? {} : { caFile }),
    },
  };
}
