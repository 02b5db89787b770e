package limit

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"upstream"
)

// How long a Redis in the same network may take before it counts as lost. All of
// one request, the wait for a connection included, has mostWait.
const (
	dialTimeout = 500 * time.Millisecond
	readTimeout = 250 * time.Millisecond
	mostWait    = dialTimeout
)

// Keys begin with the program and the version of the format of their values. Two
// programs of different formats share a Redis and never read each other's.
const (
	keyPrefix   = "upstream:1:"
	limitPrefix = keyPrefix + "limit:"
	cachePrefix = keyPrefix + "cache:"
	tryKey      = keyPrefix + "try"
)

const (
	// mostValue bounds a cached value: a larger one would take its time on the wire.
	mostValue = 1 << 20
	// fallbackKeys bounds the limiter of the times without Redis.
	fallbackKeys = 1 << 16
)

// Redis is a Limiter and a Cache that several processes share. Nothing depends on
// it: while it is lost the cache misses and each process limits by itself, and no
// request waits for it.
type Redis struct {
	client   *redis.Client
	breaker  *breaker
	fallback *MemoryLimiter
}

// RedisOptions are what a Redis needs beside its address.
type RedisOptions struct {
	Clock func() time.Time // paces the tries to get it back
	// OnChange is told once when it is lost, with the reason, and once when it is
	// back. It must return soon and not use the Redis. It may be nil.
	OnChange func(up bool, err error)
}

// OpenRedis returns the Redis at redis://user:password@host:6379/0, or rediss:// for
// TLS. It doesn't connect: the program starts without Redis too.
func OpenRedis(url string, o RedisOptions) (*Redis, error) {
	options, err := redis.ParseURL(url)
	if err != nil || !strings.HasPrefix(url, "redis://") && !strings.HasPrefix(url, "rediss://") {
		// The reason may quote the password.
		return nil, upstream.Errorf(upstream.Invalid,
			"the address of Redis can't be read: write redis://user:password@host:6379/0, rediss:// for TLS, with the signs of the password percent-encoded")
	}
	options.DialTimeout, options.DialerRetries = dialTimeout, 1
	options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = readTimeout, readTimeout, readTimeout
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1 // the breaker decides
	options.PipelinePoolSize = -1
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	redis.SetLogger(&logging.VoidLogger{}) // OnChange tells it all, once
	if o.OnChange == nil {
		o.OnChange = func(bool, error) {}
	}
	r := &Redis{client: redis.NewClient(options), fallback: NewMemoryLimiter(fallbackKeys)}
	r.breaker = &breaker{clock: o.Clock, try: r.try, onChange: o.OnChange}
	return r, nil
}

// Close closes the connections.
func (r *Redis) Close() error {
	r.breaker.stop()
	if err := r.client.Close(); err != nil {
		return upstream.Errorf(upstream.Unavailable, "Redis: %w", err)
	}
	return nil
}

// Up tells whether Redis answered when it was last asked. Who asks has it tried
// again, as a request does.
func (r *Redis) Up() bool { return r.breaker.closed() }

// Failures counts the times that Redis didn't answer, or with an error.
func (r *Redis) Failures() int64 { return r.breaker.failures.Load() }

// try writes, as a Redis that is full or a replica answers reads alone.
func (r *Redis) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, mostWait)
	defer cancel()
	return r.client.Set(ctx, tryKey, 1, time.Minute).Err()
}

// ask does something with Redis and tells whether that went well. It doesn't end
// with the caller's context, whose end would look like a fault of Redis.
func (r *Redis) ask(ctx context.Context, f func(context.Context) error) bool {
	if ctx.Err() != nil || !r.breaker.closed() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mostWait)
	defer cancel()
	err := f(ctx)
	if err != nil && !errors.Is(err, redis.Nil) {
		r.breaker.failed(err)
	}
	return err == nil
}

// Get implements Cache.
func (r *Redis) Get(ctx context.Context, key string) (value []byte, ok bool) {
	ok = r.ask(ctx, func(ctx context.Context) (err error) {
		value, err = r.client.Get(ctx, cachePrefix+key).Bytes()
		return err
	})
	if !ok {
		return nil, false
	}
	return value, true
}

// Set implements Cache. A value of more than 1 MiB isn't kept.
func (r *Redis) Set(ctx context.Context, key string, value []byte, ttl time.Duration) {
	if ttl = ttl.Truncate(time.Millisecond); ttl <= 0 || len(value) > mostValue {
		r.ask(ctx, func(ctx context.Context) error { return r.client.Del(ctx, cachePrefix+key).Err() })
		return
	}
	r.ask(ctx, func(ctx context.Context) error {
		return r.client.Set(ctx, cachePrefix+key, value, ttl).Err()
	})
}

// takeScript is Rate.take as one step of Redis. Its numbers are doubles, which hold
// microseconds since 1970 exactly. A key outlives its TAT by a minute, by which the
// clocks of the servers may differ from that of Redis.
var takeScript = redis.NewScript(`
local now, interval, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tat = tonumber(redis.call('GET', KEYS[1]) or now) or now
if tat < now or tat > now + 2 * window then tat = now end
if tat + interval > now + window then return {0, tat} end
tat = tat + interval
redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', string.format('%.0f', (tat - now) / 1000 + 60000))
return {1, tat}`)

// Take implements Limiter.
func (r *Redis) Take(ctx context.Context, key string, rate Rate, now time.Time) (d Decision, err error) {
	if err := ended(ctx); err != nil || rate.off() {
		return Decision{Allowed: err == nil}, err
	}
	at := now.UnixMicro()
	ok := r.ask(ctx, func(ctx context.Context) error {
		answer, err := takeScript.Run(ctx, r.client, []string{limitPrefix + key}, at, rate.interval(), rate.window()).Int64Slice()
		if err == nil {
			d = rate.decision(answer[1], at, answer[0] == 1)
		}
		return err
	})
	if !ok {
		return r.fallback.Take(ctx, key, rate, now)
	}
	return d, nil
}

// ended is the error of a request that nobody waits for any more.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return upstream.Errorf(upstream.Unavailable, "the request was given up: %w", err)
	}
	return nil
}
