// The text of a configuration file, by its client's syntax and dialect, as servers. Never throws, whatever the text.
import type { ConfigDocument } from './configDocument.ts';
import type { ConfigText } from './configText.ts';
import type { ConfigFormat } from './formats.ts';
import { JsoncDocument } from './jsoncDocument.ts';
import { readServers } from './readServers.ts';
import { TomlDocument } from './tomlDocument.ts';
import { YamlDocument } from './yamlDocument.ts';

/** `file` is where the text stands; `folders` are those of the workspace, for files that keep servers by folder. */
export function readConfig(text: string, format: ConfigFormat, file: string, folders: readonly string[]): ConfigText {
  const document = documentOf(text, format);
  return 'manifest' in format ? format.manifest(document, file) : readServers(document, format.dialect, folders);
}

function documentOf(text: string, { syntax = 'jsonc' }: ConfigFormat): ConfigDocument {
  switch (syntax) {
    case 'jsonc':
      return new JsoncDocument(text);
    case 'yaml':
      return new YamlDocument(text);
    case 'toml':
      return new TomlDocument(text);
  }
}
