import { z } from 'zod'

const folder = z.string().min(1).startsWith('/', 'must be an absolute path')
const milliseconds = z.int().min(0).max(86_400_000)

/** What a node says of the ERDDAP beside it. */
export const erddapConfigSchema = z.strictObject({
  contentDirectory: folder.describe('ERDDAP’s content/erddap folder: datasets.xml is written there.'),
  bigParentDirectory: folder.describe(
    'ERDDAP’s bigParentDirectory, as in its setup.xml: flags are set there, and what it read last is found there.',
  ),
  url: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'Address of this node’s own ERDDAP, such as http://127.0.0.1:8080/erddap, not of a proxy before it. ' +
        'Without it nothing can be proved.',
    ),
  stateDirectory: folder.describe('Where this target keeps what it must know after a restart. One for each ERDDAP.'),
  filesDirectory: folder
    .optional()
    .describe(
      'Where files that travel with the definitions are put; ${node.files} in a definition. ' +
        'Unless set, flotilla-files in the content directory.',
    ),
  settleMs: milliseconds
    .default(2000)
    .describe('How long nothing must happen in ERDDAP’s files before a load counts as ended that no page tells of.'),
  startMs: milliseconds
    .default(60_000)
    .describe('How long a started ERDDAP may leave out datasets: it puts off those that have no index yet.'),
  flagMs: milliseconds
    .default(120_000)
    .describe('After how long a flag that ERDDAP does not take, although it is idle, is said to be a mistake.'),
  retryMs: milliseconds
    .min(100)
    .default(5000)
    .describe(
      'How long after a load that failed ERDDAP is asked a second time; then after 6, 24 and each time 120 times as long. ' +
        'A rollout takes the second failure for the outcome.',
    ),
  timeoutMs: milliseconds.min(100).default(10_000).describe('How long one page of ERDDAP may take.'),
  logRetentionDays: z
    .int()
    .min(1)
    .max(3650)
    .optional()
    .describe(
      'After how many days logs that ERDDAP has put aside (logPreviousArchivedAt…, logArchivedAt…, emailLog…) are removed; ' +
        'unless set, none is.',
    ),
})

export type ErddapConfig = z.output<typeof erddapConfigSchema>
