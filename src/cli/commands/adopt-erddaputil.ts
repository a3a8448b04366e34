import { command } from '../command.ts'

export const adoptErddaputil = command({
  arguments: [
    {
      name: 'FILE',
      summary: 'its .erddaputil.toml; without it, those that it would read itself',
      optional: true,
      completes: 'file',
    },
  ],
  options: { json: { type: 'flag', summary: 'print one JSON object' } },
  details:
    'Reads settings as ERDDAPUtil does, with the environment, and prints the configuration of a hub and of an agent that do ' +
    'the same, and what is left to do by hand. Writes nothing; no secret is printed.',
  examples: ['flotilla adopt erddaputil', 'flotilla adopt erddaputil /etc/erddaputil/.erddaputil.toml'],
  async run({ args, options }, { output, cwd, env }) {
    const { lookAtErddaputil } = await import('../../app/adopt.ts')
    const found = await lookAtErddaputil(args.FILE, cwd, env)
    if (options.json) {
      output.json('erddaputil', found)
      return 0
    }
    const { stringify } = await import('yaml')
    output.print(`# read: ${found.files.join(', ')}`)
    for (const trap of found.traps) output.print(`# ${output.paint('yellow', 'note:')} ${trap}`)
    output.print('\n# hub.yaml, on one server')
    output.print(stringify(found.hub).trimEnd())
    output.print('\n# agent.yaml, on every server with an ERDDAP; `flotilla join` writes the first lines itself')
    output.print(stringify(found.agent).trimEnd())
    output.print('\n# by hand')
    for (const note of found.notes) output.print(`# - ${note.replaceAll('\n', '\n#   ')}`)
    return 0
  },
})
