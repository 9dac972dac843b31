package node

import (
	"errors"
	"fmt"
	"sync"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtcfg "github.com/cometbft/cometbft/config"
)

// databases opens the consensus engine's databases and closes those that it leaves open when it stops (the index of
// transactions is one), so that a node can be started again in the same process.
type databases struct {
	opened []*database
}

// database is one that may be closed by the engine and again by its owner.
type database struct {
	cmtdb.DB
	once sync.Once
}

// Close closes the database the first time and does nothing after.
func (d *database) Close() (err error) {
	d.once.Do(func() { err = d.DB.Close() })
	return err
}

// open is the engine's provider of databases.
func (d *databases) open(ctx *cmtcfg.DBContext) (cmtdb.DB, error) {
	db, err := cmtcfg.DefaultDBProvider(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the node's database %s: %w", ctx.ID, err)
	}
	owned := &database{DB: db}
	d.opened = append(d.opened, owned)
	return owned, nil
}

func (d *databases) close() (err error) {
	for _, db := range d.opened {
		err = errors.Join(err, db.Close())
	}
	return err
}
