// Package s3 keeps scheduled snapshots in a bucket of an S3-compatible store. A snapshot is an
// object, which is there as a whole or not at all. It is ciphertext before it is sent.
package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"keyquorum/node/schedule"
)

// Config says where a store is, and who asks.
type Config struct {
	Endpoint    string // https URL without a path; "": AWS's own for the region
	Bucket      string // which is there
	Region      string
	Prefix      string // what names of objects begin with, as in "keyquorum/"
	Credentials string // file of a key and its secret; "": AWS_ACCESS_KEY_ID and the like
	PathStyle   bool   // the bucket stands in the path, and not before the host's name
	CA          string // PEM file with the authorities of the endpoint; "": the system's
}

// A Store is one bucket, below a prefix.
type Store struct{ config Config }

// New looks at a configuration, and asks nobody.
func New(config Config) (*Store, error) {
	s := &Store{config}
	if config.Endpoint != "" {
		u, err := url.Parse(config.Endpoint)
		if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" ||
			u.User != nil || u.RawQuery != "" {
			return nil, errors.New("the endpoint is a URL as in https://s3.example.org")
		}
	}
	if config.Bucket == "" {
		return nil, errors.New("it needs the name of a bucket")
	}
	_, err := s.authorities()
	return s, err
}

// Ready says why the store can't be asked, as far as this machine knows: its credentials, and the
// authorities that it is to be known by.
func (s *Store) Ready() error {
	_, err := s.client()
	return err
}

// Kind is "s3".
func (s *Store) Kind() string { return "s3" }

func (s *Store) String() string { return "s3://" + s.config.Bucket + "/" + s.config.Prefix }

func (s *Store) key(name schedule.Name) *string {
	return aws.String(s.config.Prefix + name.String())
}

// authorities are nil for the system's.
func (s *Store) authorities() (*x509.CertPool, error) {
	if s.config.CA == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.config.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM", s.config.CA)
	}
	return pool, nil
}

// client is made for each call: calls are rare, and files change.
func (s *Store) client() (*client, error) {
	who, err := credentials(s.config.Credentials)
	if err != nil {
		return nil, err
	}
	pool, err := s.authorities()
	if err != nil {
		return nil, err
	}
	transport := awshttp.NewBuildableClient().GetTransport() // with the SDK's bounds
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	transport.ResponseHeaderTimeout = time.Minute
	options := s3.Options{
		Region: s.config.Region, UsePathStyle: s.config.PathStyle,
		HTTPClient: &http.Client{Transport: transport, CheckRedirect: stay},
		Credentials: aws.CredentialsProviderFunc(
			func(context.Context) (aws.Credentials, error) { return who, nil }),
		// Stores other than AWS's don't all know its newer checksums. TLS carries what is sent as it
		// is, and what was kept is read back.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
	if s.config.Endpoint != "" {
		options.BaseEndpoint = &s.config.Endpoint
	}
	return &client{s3.New(options), s.config.Bucket, who, transport}, nil
}

// A client asks for the objects of one bucket.
type client struct {
	*s3.Client
	bucket    string
	who       aws.Credentials
	transport *http.Transport
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// stay takes no redirection: a signature is for the host that it was made for.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// maxPages bounds what is listed, a thousand objects each.
const maxPages = 100

// List reads the names below the prefix.
func (s *Store) List(ctx context.Context) (kept []schedule.Kept, err error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	defer c.close()
	pages := s3.NewListObjectsV2Paginator(c.Client, &s3.ListObjectsV2Input{
		Bucket: &c.bucket, Prefix: aws.String(s.config.Prefix + "keyquorum-"),
	})
	for page := 0; pages.HasMorePages(); page++ {
		if page == maxPages {
			return nil, fmt.Errorf("more than %d,000 objects: choose a prefix of its own", maxPages)
		}
		found, err := pages.NextPage(ctx)
		if err != nil {
			return nil, c.plain(err)
		}
		for _, o := range found.Contents {
			file := strings.TrimPrefix(aws.ToString(o.Key), s.config.Prefix)
			if name, ours := schedule.ParseName(file); ours {
				kept = append(kept, schedule.Kept{Name: name, Bytes: aws.ToInt64(o.Size)})
			}
		}
	}
	return kept, nil
}

// Get reads the object.
func (s *Store) Get(ctx context.Context, name schedule.Name, w io.Writer) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.close()
	return c.get(ctx, s.key(name), func(r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	})
}

func (c *client) get(ctx context.Context, key *string, use func(io.Reader) error) error {
	o, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: key})
	if err != nil {
		return c.plain(err)
	}
	defer o.Body.Close()
	return use(o.Body)
}

// Remove removes the object.
func (s *Store) Remove(ctx context.Context, name schedule.Name) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.close()
	return c.remove(ctx, s.key(name))
}

func (c *client) remove(ctx context.Context, key *string) error {
	_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: key})
	return c.plain(err)
}
