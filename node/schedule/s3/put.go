package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"keyquorum/node/schedule"
)

// partSize is how much of a snapshot is held in memory, in bytes. What is larger is sent in parts
// of that size, of which a store takes 10,000.
const partSize = 16 << 20

// afterwards bounds what is undone when the time for all else is over.
const afterwards = 30 * time.Second

// Put sends the snapshot, reads it back, and removes it if it is another then.
func (s *Store) Put(ctx context.Context, name schedule.Name, write func(io.Writer) error,
	check func(io.Reader) error) (bytes int64, err error) {
	c, err := s.client()
	if err != nil {
		return 0, err
	}
	defer c.close()
	c.tidy(ctx, s.config.Prefix, name.Cluster)
	u := &upload{client: c, ctx: ctx, key: s.key(name)}
	if err := write(u); err != nil {
		return 0, errors.Join(err, u.abort())
	}
	if err := u.finish(); err != nil {
		return 0, errors.Join(err, u.abort())
	}
	if err := c.get(ctx, u.key, check); err != nil {
		if ctx.Err() != nil { // whoever leads now may count on it
			return 0, err
		}
		err = fmt.Errorf("what was sent reads back otherwise: %w", err)
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
		defer cancel()
		return 0, errors.Join(err, c.remove(undo, u.key))
	}
	return u.sent, nil
}

// An upload gathers what is written into parts, and sends them.
type upload struct {
	*client
	ctx  context.Context
	key  *string
	part []byte
	sent int64 // bytes

	id    *string // of an upload in parts; nil: not begun, and all that there is fits into one
	parts []types.CompletedPart
}

func (u *upload) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		if len(u.part) == partSize {
			if err := u.send(); err != nil {
				return n, err
			}
		}
		k := min(partSize-len(u.part), len(b))
		u.part, b, n = append(u.part, b[:k]...), b[k:], n+k
	}
	return n, u.ctx.Err()
}

// send sends a part, and before the first one says that there will be several.
func (u *upload) send() error {
	if u.id == nil {
		begun, err := u.CreateMultipartUpload(u.ctx,
			&s3.CreateMultipartUploadInput{Bucket: &u.bucket, Key: u.key})
		if err != nil {
			return u.plain(err)
		}
		u.id = begun.UploadId
	}
	number := aws.Int32(int32(len(u.parts)) + 1)
	got, err := u.UploadPart(u.ctx, &s3.UploadPartInput{Bucket: &u.bucket, Key: u.key, UploadId: u.id,
		PartNumber: number, Body: bytes.NewReader(u.part)})
	if err != nil {
		return u.plain(err)
	}
	u.parts = append(u.parts, types.CompletedPart{ETag: got.ETag, PartNumber: number})
	u.sent, u.part = u.sent+int64(len(u.part)), u.part[:0]
	return nil
}

// finish makes an object of what was written.
func (u *upload) finish() error {
	if u.id == nil {
		u.sent = int64(len(u.part))
		return u.plain(onlyNew(func(ifNoneMatch *string) error {
			_, err := u.PutObject(u.ctx, &s3.PutObjectInput{Bucket: &u.bucket, Key: u.key,
				Body: bytes.NewReader(u.part), IfNoneMatch: ifNoneMatch})
			return err
		}))
	}
	if err := u.send(); err != nil {
		return err
	}
	return u.plain(onlyNew(func(ifNoneMatch *string) error {
		_, err := u.CompleteMultipartUpload(u.ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &u.bucket, Key: u.key, UploadId: u.id, IfNoneMatch: ifNoneMatch,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
		})
		return err
	}))
}

// abort drops the parts that were sent. They are no object, but have their price.
func (u *upload) abort() error {
	if u.id == nil {
		return nil
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), afterwards)
	defer cancel()
	return u.drop(undo, u.key, u.id)
}

func (c *client) drop(ctx context.Context, key, id *string) error {
	_, err := c.AbortMultipartUpload(ctx,
		&s3.AbortMultipartUploadInput{Bucket: &c.bucket, Key: key, UploadId: id})
	return c.plain(err)
}

// tidy drops what killed writers have left. Whoever still sends for this cluster led before, and
// doesn't any more. Where it is refused the parts have their price, and no snapshot fails for them.
func (c *client) tidy(ctx context.Context, prefix, cluster string) {
	left, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
		Bucket: &c.bucket, Prefix: aws.String(prefix + "keyquorum-" + cluster + "-"),
	})
	if err != nil {
		return
	}
	for _, u := range left.Uploads {
		file := strings.TrimPrefix(aws.ToString(u.Key), prefix)
		if _, ours := schedule.ParseName(file); ours {
			_ = c.drop(ctx, u.Key, u.UploadId)
		}
	}
}
