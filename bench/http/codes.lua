-- wrk script: GET one code after the other, each with the headers of a phone's browser.
-- CODES: file with one code a line. PREFIX: of the path. HOST: header. START: number of the first code.
-- Prints a last line "RESULT requests microseconds failures p50_us p99_us"; failures: no answer, or none of 200.
local requests, position = {}, tonumber(os.getenv("START"))

function init(_arguments)
  local headers = { Host = os.getenv("HOST"), Accept = "application/json" }
  headers["User-Agent"] = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"
  for code in io.lines(os.getenv("CODES")) do
    requests[#requests + 1] = wrk.format("GET", os.getenv("PREFIX") .. code, headers)
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency, _requests)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration, failures,
    latency:percentile(50), latency:percentile(99)))
end
