// Manifests of projects come and go anywhere in the workspace; the editor watches it anyway, without what its settings
// exclude. The helper watches the configuration files themselves.
import { workspace, type Disposable } from 'vscode';

const manifests =
  '**/{package.json,pyproject.toml,requirements.txt,go.mod,Cargo.toml,composer.json,Gemfile,pom.xml,build.gradle,build.gradle.kts,*.csproj,server.json,manifest.json,fastmcp.json,smithery.yaml}';

/** Changes within this time are one: an installation writes thousands of manifests. */
const settleMs = 500;

export function watchProjects(onChange: () => void): Disposable[] {
  const watcher = workspace.createFileSystemWatcher(manifests);
  let timer: NodeJS.Timeout | undefined;
  const changed = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      onChange();
    }, settleMs);
  };
  return [
    watcher,
    watcher.onDidCreate(changed),
    watcher.onDidChange(changed),
    watcher.onDidDelete(changed),
    { dispose: () => clearTimeout(timer) },
  ];
}
