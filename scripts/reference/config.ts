import type { z } from 'zod'
import { agentSchema } from '../../src/config/agent.ts'
import { environmentName, type Setting, settingsOf } from '../../src/config/describe.ts'
import { filesSchema } from '../../src/config/files.ts'
import { hubSchema } from '../../src/config/hub.ts'
import { code, page, tableOf } from './page.ts'

/** docs/reference/config.md, from the schemas. */
export function configPage(): string {
  return page(
    'Configuration',
    INTRODUCTION,
    '## Hub',
    'For `flotilla hub --config FILE` and `flotilla up`.',
    settingsTable(hubSchema),
    '## Agent',
    'For `flotilla agent`. `flotilla join` writes the file, with what you told it, as `agent.yaml` in the state folder.',
    settingsTable(agentSchema),
    '## File service',
    'For `flotilla files serve --config FILE`. The section `files` of an agent has the same settings.',
    settingsTable(filesSchema),
    EXAMPLE,
  )
}

function settingsTable(schema: z.ZodType): string {
  const rows = settingsOf(schema).map((setting) => [
    code(setting.path.join('.')),
    describe(setting),
    fallbackOf(setting),
    code(environmentName(setting.path)),
  ])
  return tableOf(['setting', '', 'default', 'environment'], rows)
}

function describe({ summary, choices, type, of }: Setting): string {
  const takes = choices === undefined ? (type === 'text' ? '' : ` (${type})`) : ` (${choices.join(', ')})`
  return `${of === undefined ? '' : `${of.kind}: `}${summary}${takes}`
}

function fallbackOf({ fallback, required }: Setting): string {
  if (fallback === undefined) return required ? '*required*' : ''
  return code(typeof fallback === 'string' ? fallback : JSON.stringify(fallback))
}

const INTRODUCTION = `A configuration is a YAML file; the environment overrules the file, and flags of the command overrule both. A setting that does not
exist is refused, with its line and the name that was probably meant. \`flotilla config check FILE\` checks a file, \`flotilla config
show\` shows every value and where it comes from.

Where a setting holds a name that you choose, it stands here as \`*\`; in the environment such a name is written as it is:
\`FLOTILLA_VALUES_data\`. Times are written \`30s\`, \`15m\`, \`2h\`, \`7d\`. Relative paths start at the folder of the file.`

const EXAMPLE = `## Examples

A hub that follows a folder on shared storage:

\`\`\`yaml
data: /var/lib/flotilla
listen: 0.0.0.0:8470
names: [hub.example.org]
sources:
  datasets:
    folder: /mnt/share/datasets.d
    interval: 1m
\`\`\`

An agent beside an ERDDAP:

\`\`\`yaml
node: erd1
hub: http://hub.example.org:8470
values:
  data: /mnt/data
targets:
  datasets:
    kind: erddap
    contentDirectory: /usr/local/tomcat/content/erddap
    bigParentDirectory: /data/erddap
    url: http://127.0.0.1:8080/erddap
\`\`\`

A node that keeps Open-Meteo's data in step with the nodes that serve it, serves it too, and shows each run of a model together with
all others:

\`\`\`yaml
node: api2
hub: http://hub.example.org:8470
files:
  listen: 0.0.0.0:8480
  apiKeyFile: keys
  trees:
    data:
      folder: /srv/data
targets:
  data:
    kind: files
    from: [cluster, https://files.example.org/data]
    folder: /srv/data
    include: [dwd_icon/]
    groups: [runs/*/]
    flip: together
\`\`\`

A file service of its own:

\`\`\`yaml
listen: 0.0.0.0:8480
apiKeyFile: /etc/flotilla/keys
openJson: true
trees:
  data:
    folder: /srv/data
    readOnly: true
\`\`\``
