// An S3 server for tests: versitygw's gateway over a folder, on loopback. Keys come by the environment, never by argv.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	folder, address := os.Args[1], os.Args[2]
	// Attributes beside the data: a temporary file system may have no extended ones.
	attributes, err := meta.NewSideCar(folder + "/meta")
	if err != nil {
		log.Fatal(err)
	}
	store, err := posix.New(folder+"/data", attributes, posix.PosixOpts{SideCarDir: folder + "/meta", NewDirPerm: 0o755})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err = embedgw.RunVersityGW(ctx, store, &embedgw.Config{
		RootUserAccess:    os.Getenv("AWS_ACCESS_KEY_ID"),
		RootUserSecret:    os.Getenv("AWS_SECRET_ACCESS_KEY"),
		Region:            "us-east-1",
		Ports:             []string{address},
		MaxConnections:    1000,
		MaxRequests:       1000,
		MultipartMaxParts: 10000,
	})
	if err != nil {
		log.Fatal(err)
	}
}
