import { FlotillaError } from '../../core/errors.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { countOf, HELD, leaseTimes, someone, timeoutMs } from '../coordination-options.ts'
import { runHeld } from '../held.ts'

const SLOTS_MAX = 10_000

export const lock = command({
  arguments: [
    { name: 'NAME', summary: 'what is locked' },
    { name: 'CMD', summary: 'runs while it is held; after --', variadic: true },
  ],
  options: {
    slots: { type: 'value', placeholder: 'N', summary: 'how many may hold it at once', fallback: '1' },
    shared: { type: 'flag', summary: 'together with any number of others that are --shared, as a reader' },
    ...HELD,
    ...CLIENT,
  },
  details:
    'In order of coming: with --slots at most as many hold as the least patient of them allows, which makes steps of a rolling change; a --shared one ' +
    'waits only for those ahead that are not. The command has its fencing token in FLOTILLA_FENCE, which every command of ours sends by itself. The ' +
    'exit code is that of the command; 5 when the lock was lost, before which the command and all it started are ended; 3 when --timeout is over first.',
  examples: [
    'flotilla lock deploy -- ./deploy.sh',
    'flotilla lock restart --slots 2 -- systemctl restart tomcat',
    'flotilla lock index --shared --timeout 60 -- ./read.sh',
  ],
  async run({ args, options }, context) {
    const { NAME: name, CMD: argv } = args
    if (argv.length === 0)
      throw new FlotillaError('USAGE', 'CMD is missing: what runs while the lock is held', {
        hint: `flotilla lock ${name} -- CMD`,
      })
    const seats = countOf(options.slots, 'slots', SLOTS_MAX)
    if (options.shared && seats > 1) throw new FlotillaError('USAGE', '--shared and --slots exclude each other')
    const request = { who: options.id ?? someone(), ...(options.shared ? { shared: true } : { seats }) }
    const holding = {
      kind: 'lock',
      name,
      request,
      ...leaseTimes(options),
      timeoutMs: timeoutMs(options),
      command: argv,
    } as const
    return withHub(options, context, (hub) => runHeld(holding, hub, context))
  },
})
