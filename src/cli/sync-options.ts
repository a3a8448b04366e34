/** Options of `flotilla sync`; those of `openmeteo-api sync` under the names that they have there. */
export const SYNC_OPTIONS = {
  from: {
    type: 'list',
    placeholder: 'URL|DIR',
    summary:
      'where from: a node, an Open-Meteo server, S3 (s3://bucket/folder) or a folder; several have the same files',
  },
  to: {
    type: 'value',
    placeholder: 'DIR',
    summary: 'the folder to keep in step; for models otherwise DATA_DIRECTORY, or ./data',
    completes: 'folder',
  },
  server: {
    type: 'value',
    placeholder: 'URL',
    summary: 'for models: as --from; one for each set of them, separated by semicolons; otherwise SYNC_SERVER',
  },
  apikeyFile: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'file that holds the key to show; otherwise SYNC_APIKEY',
    completes: 'file',
  },
  apikey: { type: 'value', placeholder: 'KEY', summary: 'the key itself; others can see it in the list of processes' },
  s3Credentials: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'file that holds ACCESS:SECRET, or an AWS credentials file',
    completes: 'file',
  },
  prefix: { type: 'list', placeholder: 'TEXT', summary: 'only keys that start with it' },
  include: { type: 'list', placeholder: 'GLOB', summary: 'only files that match: *.om, data/dwd_icon/**' },
  exclude: { type: 'list', placeholder: 'GLOB', summary: 'no files that match' },
  newest: {
    type: 'value',
    placeholder: 'N',
    summary: 'only the newest: 7d for days, 3c for chunks in each folder',
    form: { test: (text: string) => /^[1-9]\d{0,5}[dc]$/.test(text), words: 'a number of days or chunks, as 7d or 3c' },
  },
  pastDays: number('DAYS', 'of models: how far back; otherwise SYNC_PAST_DAYS, or 7'),
  year: {
    type: 'value',
    placeholder: 'YEARS',
    summary: 'of models: 2000, or 2000-2005, in place of past days',
    form: { test: (text: string) => /^\d{4}(-\d{4})?$/.test(text), words: 'a year, or two with a hyphen' },
  },
  repeatInterval: number('MINUTES', 'look again so long after each round; otherwise SYNC_REPEAT_INTERVAL'),
  watch: { type: 'flag', summary: 'stay, and bring over what changes as soon as the source tells' },
  delete: { type: 'flag', summary: 'delete what the source does not have, or what is not wanted any more' },
  deleteMax: {
    type: 'value',
    placeholder: 'N|N%',
    summary: 'how much may be deleted at once; by default 10% and 1,000',
  },
  verify: { type: 'flag', summary: 'look at every file here, not only into folders that show another time' },
  checksum: { type: 'flag', summary: 'read every file here and compare hashes where the source tells them' },
  dryRun: { type: 'flag', summary: 'say what would be done, and do nothing' },
  concurrent: {
    ...number('N', 'requests at once; otherwise as many as the source bears, or SYNC_CONCURRENT'),
    short: 'c',
  },
  concurrentModels: number('N', 'for models: times as many; otherwise SYNC_CONCURRENT_MODELS'),
  bwlimit: { type: 'value', placeholder: 'RATE', summary: 'bytes a second: 10M, or "08:00,10M 18:00,50M 23:00,off"' },
  rate: number('MB', 'as --bwlimit, in megabytes a second'),
  group: {
    type: 'list',
    placeholder: 'GLOB',
    summary:
      'folders whose files become visible all at once, such as data_run/*/*/*/*/*; what the source has no more is not in the next ' +
      'version, also without --delete',
  },
  keep: { ...number('N', 'with --group: older generations that stay'), fallback: '1' },
  execute: { type: 'flag', summary: 'taken from scripts of openmeteo-api; means nothing' },
  dataDirectoryMaxSizeGb: number('GB', 'likewise; see --delete and --past-days instead'),
  cacheDirectoryMaxSizeGb: number('GB', 'likewise'),
  json: { type: 'flag', summary: 'print a line of JSON for each file and each round' },
} as const

function number<P extends string, S extends string>(placeholder: P, summary: S) {
  return {
    type: 'value',
    placeholder,
    summary,
    form: { test: (text: string) => /^\d{1,6}$/.test(text), words: 'a whole number' },
  } as const
}
