// Whether a server may run: by the policy, where the folders of the workspace have a say, and by a person's consent. A
// tunnel and a preview ask the same.
import type { PolicyStore } from '../policy/policyStore.ts';
import type { AuditNotes } from './auditNotes.ts';
import { declaredSecrets } from './declaredSecrets.ts';
import { makeDialCheck } from './dialCheck.ts';
import type { Agreed, ResolvedServer, ServerResolver } from './serverResolver.ts';
import { workspacePolicies, type StatePaths } from './statePaths.ts';

export type AdmissionOptions = {
  servers: ServerResolver;
  policy: PolicyStore;
  notes: AuditNotes;
  paths: StatePaths;
  /** Folders of the workspace; others come with what is asked for. */
  folders: readonly string[];
  /** Told what must not be shown. */
  hide: (secret: string) => void;
};

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #folders: Set<string>;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#folders = new Set(options.folders);
  }

  /** A folder that was added to the workspace since restricts as well. */
  async knowFolders(folders: readonly string[]): Promise<void> {
    const added = folders.filter((folder) => !this.#folders.has(folder));
    for (const folder of added) this.#folders.add(folder);
    if (added.length > 0) await this.#readPolicies();
  }

  /** Throws `UPSTREAM_DENIED`, and as {@link ServerResolver.requireConsent}; what is secret is known from now on. */
  async admit(server: ResolvedServer, consent: string | undefined): Promise<Agreed> {
    const { servers, policy, notes, hide } = this.#options;
    await this.knowFolders(server.folders ?? []);
    const dial = makeDialCheck(policy, { secrets: () => servers.secretAnswers() });
    await notes.demand('upstream', () => dial.mayRun(server.transport));
    const agreed = await servers.requireConsent(server, consent);
    if (agreed.agreedNow) await notes.consent(server.name, agreed.agreedNow.hash);
    for (const secret of [...declaredSecrets(agreed.transport), ...servers.secretAnswers()]) hide(secret);
    return agreed;
  }

  /** An untrusted workspace runs nothing, and its policy file counts for nothing. */
  async setTrusted(trusted: boolean): Promise<void> {
    this.#options.servers.trusted = trusted;
    await this.#readPolicies();
  }

  #readPolicies(): Promise<void> {
    const { paths, policy, servers } = this.#options;
    return policy.replaceWorkspaces(workspacePolicies(paths, [...this.#folders], servers.trusted));
  }
}
