const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** As `dateCreated` is written: the milliseconds are a number, not a fraction (12 ms is `.12`). */
export function catalogDate(ms: number): string {
  const [day, time = ''] = new Date(ms).toISOString().split('T')
  return `${day} ${time.slice(0, 8)}.${new Date(ms).getUTCMilliseconds()} UTC`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** As `java.util.Properties` dates the files it stores: `Fri Nov 20 10:24:25 UTC 2026`. */
export function propertiesDate(ms: number): string {
  const date = new Date(ms)
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')
  const day = `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${two(date.getUTCDate())}`
  return `${day} ${time} UTC ${date.getUTCFullYear()}`
}
