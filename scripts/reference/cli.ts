import { COMMANDS, type Entry, GROUPS } from '../../src/cli/commands.ts'
import { optionRows, synopsis } from '../../src/cli/help.ts'
import { code, page, tableOf } from './page.ts'

/** docs/reference/cli.md, from the table of commands. */
export async function cliPage(): Promise<string> {
  const sections = await Promise.all(COMMANDS.map(section))
  return page(
    'Commands',
    'In a clone, `./flotilla` stands for `flotilla`. Every command takes `--help` and `--debug`.',
    ...GROUPS.map((group) => {
      const rows = COMMANDS.filter((entry) => entry.group === group)
      return tableOf(
        [group, ''],
        rows.map(({ name, summary }) => [`[${name}](#${anchor(name)})`, summary]),
      )
    }),
    EXIT_CODES,
    ENVIRONMENT,
    NODES,
    ...sections,
  )
}

async function section({ name, summary, load }: Entry): Promise<string> {
  const command = await load()
  const parts = [`## ${name}`, `${capital(summary)}.`, fenced([synopsis(name, command)], 'text')]
  if (command.details !== undefined) parts.push(command.details)
  const rows = [...command.arguments.map((one) => [one.name, one.summary] as const), ...optionRows(command.options)]
  if (rows.length > 0)
    parts.push(
      tableOf(
        ['argument or option', ''],
        rows.map(([form, text]) => [code(form), text]),
      ),
    )
  parts.push('Examples:', fenced(command.examples))
  return parts.join('\n\n')
}

function fenced(lines: readonly string[], language = 'sh'): string {
  return [`\`\`\`${language}`, ...lines, '```'].join('\n')
}

function anchor(name: string): string {
  return name.replaceAll(' ', '-')
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const EXIT_CODES = `## Exit codes

${tableOf(
  ['code', 'meaning'],
  [
    ['0', 'done, or in step'],
    ['1', 'failed'],
    ['2', 'the command line or the configuration is not valid'],
    ['3', 'not in step yet: pending, failed or drifted'],
    ['4', 'refused by a check or a guard; nothing was changed'],
    ['5', 'lost a race: somebody else changed it first'],
    ['6', 'not allowed'],
    ['7', 'the other side does not answer'],
    ['130', 'interrupted'],
  ],
)}`

const NODES = `## Several servers without a hub

\`flotilla --nodes a,b,c COMMAND …\` runs a command that asks a hub for each of these nodes at once, and tells what each one said. A node is an
address, or a name in the file of \`--nodes-file FILE\`, which with no \`--nodes\` stands for all in it. The exit code is the worst: of
several, the first of 130, 2, 1, 6, 4, 5, 7, 3 that occurred. With \`--json\` there is one object, with the answer of each node in \`nodes\`.
See [Without a hub](../how-to/without-a-hub.md).`

const ENVIRONMENT = `## Environment

${tableOf(
  ['variable', 'meaning'],
  [
    ['`FLOTILLA_URL`', 'the hub that client commands talk to'],
    ['`FLOTILLA_TOKEN_FILE`', 'the file that holds your token; nobody else may be able to read it'],
    ['`FLOTILLA_NODES_FILE`', 'the file of nodes without a hub that `--nodes` looks names up in'],
    ['`NO_COLOR`', 'no colours, also on a terminal'],
  ],
)}

Settings of the services have names of their own: see [Configuration](config.md).`
