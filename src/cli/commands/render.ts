import { resolve } from 'node:path'
import { type ExitCode, FlotillaError } from '../../core/errors.ts'
import { isName } from '../../core/keys.ts'
import type { Logger } from '../../core/log.ts'
import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, withHub } from '../connect.ts'
import type { Context } from '../context.ts'

const MODE = { test: (text: string) => /^0?[0-7]{3}$/.test(text), words: 'an octal mode such as 0644' }
const NAME = { test: isName, words: 'the name of a node' }

export const render = command({
  arguments: [{ name: 'TEMPLATE', summary: 'a file; what it includes lies in its folder', completes: 'file' }],
  options: {
    profile: { type: 'list', placeholder: 'NAME', summary: 'whose params it uses; the first that has a param counts' },
    to: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'where it goes; to the standard output when not given',
      completes: 'file',
    },
    mode: {
      type: 'value',
      placeholder: 'MODE',
      summary: 'of the file; 0600 at most where it holds a token',
      fallback: '0644',
      form: MODE,
    },
    quoting: {
      type: 'value',
      placeholder: 'HOW',
      summary: 'how values are written; as the names and the first line tell when not given',
      choices: ['shell', 'plain'],
    },
    check: {
      type: 'value',
      placeholder: 'COMMAND',
      summary: 'judges the new file, {}, before it takes its place; split at spaces, run without a shell',
    },
    after: { type: 'value', placeholder: 'COMMAND', summary: 'is run after the file has changed; likewise' },
    node: {
      type: 'value',
      placeholder: 'NAME',
      summary: 'which node it is for; the one whose token it is when not given',
      form: NAME,
    },
    watch: { type: 'flag', summary: 'go on until Ctrl-C, and render it again whenever something changes' },
    ...CLIENT,
  },
  details:
    'Renders a template from params and facts. A value that is missing is an error, and the file stays as it was. In a script ' +
    'each value is quoted as its place needs it.',
  examples: [
    'flotilla render members.conf.tmpl --profile web',
    'flotilla render run.sh.tmpl --profile web --to /etc/cluster/run.sh --mode 0755 --check "bash -n {}"',
    'flotilla render members.conf.tmpl --profile web --to /etc/cluster/members.conf --after "systemctl reload x" --watch',
  ],
  async run({ args, options }, context) {
    const { to, watch, check, after } = options
    if (to === undefined && (watch || check !== undefined || after !== undefined))
      throw new FlotillaError('USAGE', '--watch, --check and --after are for a file', {
        hint: 'Name it with --to FILE.',
      })
    if (check?.includes('{}') === false)
      throw new FlotillaError('USAGE', '--check needs {} where the path of the new file belongs')
    const { Renderer } = await import('../../app/render.ts')
    return withHub(options, context, async (hub): Promise<ExitCode> => {
      const own = await nodeOf(hub, context)
      const node = options.node ?? own
      const settings = {
        url: hub.url,
        token: hub.token,
        template: resolve(context.cwd, args.TEMPLATE),
        profiles: options.profile,
        node,
        isNode: node !== undefined && node === own,
        quoting: options.quoting,
      }
      const { clock, signal } = context
      const renderer = new Renderer(settings, { clock, signal, log: logOf(context) })
      if (to === undefined) {
        const text = await renderer.text()
        if (options.json) context.output.json('render', { text })
        else context.output.out.write(text)
        return 0
      }
      const place = {
        to: resolve(context.cwd, to),
        mode: Number.parseInt(options.mode, 8),
        ...(check !== undefined && { check: wordsOf(check) }),
        ...(after !== undefined && { after: wordsOf(after) }),
      }
      if (watch) {
        await renderer.follow(place)
        return 0
      }
      const changed = await renderer.put(place)
      if (options.json) context.output.json('render', { to: place.to, changed })
      else context.output.print(`${changed ? 'rendered' : 'unchanged'} ${place.to}`)
      return 0
    })
  },
})

/** Undefined for whoever is no node. */
async function nodeOf({ client }: Hub, { signal }: Context): Promise<string | undefined> {
  return (await client.whoami({ signal })).node
}

function wordsOf(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

/** What changes is a line of the output, and what goes wrong one of the notes. */
function logOf({ output }: Context): Logger {
  const note: Logger['warn'] = (message, { file, template, line, error } = {}) => {
    const place = typeof template === 'string' ? `${template}:${typeof line === 'number' ? line : ''}` : undefined
    const parts = [message, file, place, error]
    output.note(clean(parts.filter((part) => typeof part === 'string').join(': ')))
  }
  return {
    debug() {},
    info: (message, { file } = {}) => {
      if (typeof file === 'string') output.print(clean(`${message} ${file}`))
    },
    warn: note,
    error: note,
  }
}
